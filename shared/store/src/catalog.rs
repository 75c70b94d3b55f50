//! What a cinema puts in its catalogue: how entries are kept, made, changed and removed.
//!
//! Each kind of entry has a file with its key, its attributes, its conditions and its reader:
//! `city`, `movie`, `theatre`, `auditorium` (with `layout`). `listing` says which films a city
//! shows. What all kinds have in common is here: a kind is one partition, in the order of ids; an
//! entry counts its changes in `version`, and what stands in it in `children_count`. The latter is
//! written by the transaction that makes or removes what it counts, so nothing stands in what is
//! gone.

use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::catalog::{Expected, Versioned};

use crate::item::{Item, item, string, value};
use crate::txn::{Aborted, IF_ABSENT, IF_THERE, If, Txn, corrupt};
use crate::{Fault, Store};

mod auditorium;
mod city;
mod layout;
mod listing;
mod movie;
mod theatre;

pub(crate) use auditorium::auditorium_key;
pub(crate) use listing::listing_of;

/// How often a change is tried whose entry others change, too. Entries are changed by hand.
const TRIES_MAX: u32 = 5;

/// It is as it was read.
const IF_UNCHANGED: &str = "version = :version";

const SET_ONE_MORE: &str = "ADD children_count :one";

const SET_ONE_LESS: &str = "ADD children_count :minus_one";

/// Values of an expression by their names in it.
pub(crate) type Values = Vec<(&'static str, AttributeValue)>;

/// An entry of the catalogue: a city, a film, a theatre or an auditorium.
pub trait Entry: Stored {}

/// An entry that is one item. An auditorium is none: it is made with its first layout.
pub trait Standalone: Entry {}

/// How a kind of entry is stored.
pub trait Stored: Clone + PartialEq + Send + Sync + 'static {
    /// What names one.
    type Id: fmt::Display;
    /// What it is called in a fault.
    const NAME: &'static str;
    /// Where all of them stand.
    const PARTITION: &'static str;
    /// What their sort keys begin with, before the id.
    const PREFIX: &'static str;
    /// Writes what can change of one, and `:next` as its version.
    const SET_CHANGED: &'static str;
    /// It is at `:version`, where it was, and nothing stands in it.
    const IF_REMOVABLE: &'static str;

    /// Which one it is.
    fn id(&self) -> &Self::Id;
    /// What it stands in, if it stands in something.
    fn parent_key(&self) -> Option<Item>;
    /// Its attributes, besides its key and its version.
    fn attributes(&self) -> Item;
    /// The values that [`Stored::SET_CHANGED`] names, besides `:next`.
    fn changed_values(&self) -> Values;
    /// The values that [`Stored::IF_REMOVABLE`] names, besides `:version`.
    fn removable_values(&self) -> Values;
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`Fault::Corrupt`] names the attribute that is missing or malformed.
    fn read(found: Item) -> Result<Self, Fault>;
}

/// Why an entry was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is another one of this id.
    #[error("there is another one of this id")]
    Exists,
    /// What it would stand in is not there.
    #[error("what it would stand in is not there")]
    NoParent,
    /// No answer.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why an entry was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// There is none of this id.
    #[error("there is none of this id")]
    NotFound,
    /// It is not at the version that was expected.
    #[error("it was changed meanwhile")]
    Stale,
    /// No answer.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why an entry was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// It is not at the version that was expected.
    #[error("it was changed meanwhile")]
    Stale,
    /// Something stands in it, or is going to take place in it.
    #[error("it is in use")]
    InUse,
    /// No answer.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What stands in the way of a new entry.
enum NotCreated<E> {
    /// One of its id.
    There(Versioned<E>),
    /// What it would stand in is not there.
    NoParent,
    /// A layout of that version, which an auditorium of the same id had before it was removed.
    LayoutThere,
}

/// What stands in the way of a removal.
enum NotRemoved {
    /// It is not as it was read.
    Changed,
    /// Something stands in it.
    InUse,
}

/// The key of an entry.
fn key<E: Entry>(id: &E::Id) -> Item {
    item([("pk", string(E::PARTITION)), ("sk", string(format!("{}{id}", E::PREFIX)))])
}

fn item_of<E: Entry>(entry: &E, version: u32) -> Item {
    let mut new = entry.attributes();
    new.extend(key::<E>(entry.id()));
    new.insert("version".to_owned(), value(&version));
    new
}

fn read<E: Entry>(found: Item) -> Result<Versioned<E>, Fault> {
    let version = found.get("version").and_then(|version| version.as_n().ok());
    let version = version.and_then(|digits| digits.parse().ok());
    let missing = || corrupt(format!("{}: `version` is missing or malformed", E::NAME));
    let version = version.ok_or_else(missing)?;
    Ok(Versioned { entry: E::read(found)?, version })
}

/// A condition on the version that was read, with further values.
fn only_at(condition: &'static str, version: u32, values: Values) -> If {
    let only = If::new(condition, [(":version", value(&version))]);
    values.into_iter().fold(only, |only, value| only.with([value]))
}

impl Store {
    /// One entry as it is now, if there is one. Costs one consistent read of one item (1 unit).
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn entry<E: Entry>(&self, id: &E::Id) -> Result<Option<Versioned<E>>, Fault> {
        self.catalog_item(key::<E>(id)).await?.map(read).transpose()
    }

    /// Every entry of a kind, by id, as they are now. Costs one consistent query (and one more per
    /// MB) at a unit per 4 KB.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn entries<E: Entry>(&self) -> Result<Vec<E>, Fault> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.catalog)
            .key_condition_expression("pk = :partition")
            .expression_attribute_values(":partition", string(E::PARTITION))
            .consistent_read(true);
        let mut entries = Vec::new();
        self.each_page(query, |page| {
            for item in page.items.unwrap_or_default() {
                entries.push(E::read(item)?);
            }
            Ok(())
        })
        .await?;
        Ok(entries)
    }

    /// Makes an entry in what it stands in, and counts it there.
    ///
    /// Safe to repeat: the same one again is answered with what is there. Costs 2 write units, and
    /// 2 more if it stands in something.
    ///
    /// # Errors
    ///
    /// [`CreateError`].
    pub async fn create<E: Standalone>(&self, entry: &E) -> Result<Versioned<E>, CreateError> {
        match self.creation(entry).commit().await {
            Ok(()) => Ok(Versioned { entry: entry.clone(), version: 1 }),
            Err(Aborted::Fault(fault)) => Err(fault.into()),
            Err(Aborted::Refused(refusals)) => match refusals.into_iter().next() {
                Some(NotCreated::There(found)) if found.entry == *entry => Ok(found),
                Some(NotCreated::There(_)) => Err(CreateError::Exists),
                Some(NotCreated::NoParent) => Err(CreateError::NoParent),
                Some(NotCreated::LayoutThere) | None => {
                    Err(corrupt(format!("{}: refused without a reason", E::NAME)).into())
                }
            },
        }
    }

    /// The steps that make an entry. Of their refusals the first is the reason.
    fn creation<E: Entry>(&self, entry: &E) -> Txn<'_, NotCreated<E>> {
        let catalog = &self.tables.catalog;
        let only = If::new(IF_ABSENT, []);
        let txn = Txn::new(self).put(catalog, item_of(entry, 1), only, |found| {
            let found = found.ok_or_else(|| corrupt("nothing refused to be made"))?;
            Ok(NotCreated::There(read(found.clone())?))
        });
        let Some(parent) = entry.parent_key() else { return txn };
        let only = If::new(IF_THERE, [(":one", value(&1))]);
        txn.update(catalog, parent, SET_ONE_MORE, only, |_| Ok(NotCreated::NoParent))
    }

    /// Writes what can change of an entry, if it is at the version that is expected.
    ///
    /// Safe to repeat: one that is like this already is answered as it is. Costs 2 write units, and
    /// a read for [`Expected::Any`].
    ///
    /// # Errors
    ///
    /// [`ReplaceError`].
    pub async fn replace<E: Entry>(
        &self,
        entry: &E,
        expected: Expected,
    ) -> Result<Versioned<E>, ReplaceError> {
        for _ in 0..TRIES_MAX {
            let version = match expected {
                Expected::Version(version) => version,
                Expected::Any => {
                    let known = self.entry::<E>(entry.id()).await?;
                    let known = known.ok_or(ReplaceError::NotFound)?;
                    if known.entry == *entry {
                        return Ok(known);
                    }
                    known.version
                }
            };
            let next = version.saturating_add(1);
            let only = only_at(IF_UNCHANGED, version, entry.changed_values());
            let only = only.with([(":next", value(&next))]);
            let (catalog, key) = (&self.tables.catalog, key::<E>(entry.id()));
            let txn = Txn::new(self).update(catalog, key, E::SET_CHANGED, only, |found| {
                found.cloned().map(read::<E>).transpose()
            });
            match txn.commit().await {
                Ok(()) => return Ok(Versioned { entry: entry.clone(), version: next }),
                Err(Aborted::Fault(fault)) => return Err(fault.into()),
                Err(Aborted::Refused(found)) => match found.into_iter().flatten().next() {
                    None => return Err(ReplaceError::NotFound),
                    // A try whose answer was lost wrote it.
                    Some(found) if found.entry == *entry => return Ok(found),
                    Some(_) if expected == Expected::Any => {}
                    Some(_) => return Err(ReplaceError::Stale),
                },
            }
        }
        Err(Fault::Contended.into())
    }

    /// Removes an entry that nothing stands in, if it is at the version that is expected.
    ///
    /// Safe to repeat: one that is not there is removed. Costs a read and 2 write units, and 2 more
    /// if it stands in something.
    ///
    /// # Errors
    ///
    /// [`RemoveError`].
    pub async fn remove<E: Standalone>(
        &self,
        id: &E::Id,
        expected: Expected,
    ) -> Result<(), RemoveError> {
        self.remove_with::<E>(id, expected, |txn| txn).await
    }

    /// Removes an entry with what `more` adds.
    async fn remove_with<E: Entry>(
        &self,
        id: &E::Id,
        expected: Expected,
        more: impl for<'a> Fn(Txn<'a, NotRemoved>) -> Txn<'a, NotRemoved>,
    ) -> Result<(), RemoveError> {
        for _ in 0..TRIES_MAX {
            let Some(known) = self.entry::<E>(id).await? else { return Ok(()) };
            if !expected.matches(known.version) {
                return Err(RemoveError::Stale);
            }
            match more(self.removal(&known)).commit().await {
                Ok(()) => return Ok(()),
                Err(Aborted::Fault(fault)) => return Err(fault.into()),
                Err(Aborted::Refused(refusals)) => match refusals.first() {
                    Some(NotRemoved::InUse) => return Err(RemoveError::InUse),
                    // How it is now says whether that is still what was asked for.
                    Some(NotRemoved::Changed) | None => {}
                },
            }
        }
        Err(Fault::Contended.into())
    }

    /// The steps that remove an entry as it was read. Of their refusals the first is the reason.
    fn removal<E: Entry>(&self, known: &Versioned<E>) -> Txn<'_, NotRemoved> {
        let catalog = &self.tables.catalog;
        let only = only_at(E::IF_REMOVABLE, known.version, known.entry.removable_values());
        let (expected, gone) = (known.clone(), key::<E>(known.entry.id()));
        let txn = Txn::new(self).delete(catalog, gone, only, move |found| {
            let Some(found) = found else { return Ok(NotRemoved::Changed) };
            let found = read::<E>(found.clone())?;
            let is_as_read = found.version == expected.version && found.entry == expected.entry;
            Ok(if is_as_read { NotRemoved::InUse } else { NotRemoved::Changed })
        });
        let Some(parent) = known.entry.parent_key() else { return txn };
        // What something stands in cannot be removed, so if it is not there, neither is this.
        let only = If::new(IF_THERE, [(":minus_one", value(&-1))]);
        txn.update(catalog, parent, SET_ONE_LESS, only, |_| Ok(NotRemoved::Changed))
    }

    pub(crate) async fn catalog_item(&self, key: Item) -> Result<Option<Item>, Fault> {
        self.get(&self.tables.catalog, key).await
    }
}
