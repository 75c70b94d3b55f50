//! An auditorium: key, attributes, conditions, reader, and what becomes of it with its layouts.
//!
//! It stands in a theatre, for good. Shows take place in it: its schedule says until when, and a
//! show is written only while its auditorium is there, so a removal and a new show exclude each
//! other.

use domain::catalog::{Auditorium, Expected, Name, Theatre, Versioned};
use domain::id::{AuditoriumId, TheatreId};
use domain::layout::Layout;
use domain::time::Timestamp;

use crate::catalog::{
    CreateError, Entry, IF_UNCHANGED, NotCreated, NotRemoved, RemoveError, ReplaceError, Stored,
    TRIES_MAX, Values, key, layout, only_at,
};
use crate::item::{Item, from_item, to_item, value};
use crate::txn::{Aborted, IF_ABSENT, If, Txn, corrupt};
use crate::{Fault, Store, schedule};

const SET_LAYOUT: &str = "SET layout_version = :layout_version, version = :next";

#[derive(serde::Serialize, serde::Deserialize)]
struct Record {
    auditorium_id: AuditoriumId,
    auditorium_name: Name,
    theatre_id: TheatreId,
    layout_version: u32,
}

impl Entry for Auditorium {}

impl Stored for Auditorium {
    type Id = AuditoriumId;

    const NAME: &'static str = "auditorium";
    const PARTITION: &'static str = "AUDITORIUMS";
    const PREFIX: &'static str = "AUDITORIUM#";
    const SET_CHANGED: &'static str = "SET auditorium_name = :auditorium_name, version = :next";
    const IF_REMOVABLE: &'static str = "version = :version AND theatre_id = :theatre_id";

    fn id(&self) -> &AuditoriumId {
        &self.id
    }

    fn parent_key(&self) -> Option<Item> {
        Some(key::<Theatre>(&self.theatre_id))
    }

    fn attributes(&self) -> Item {
        let auditorium = self.clone();
        to_item(&Record {
            auditorium_id: auditorium.id,
            auditorium_name: auditorium.name,
            theatre_id: auditorium.theatre_id,
            layout_version: auditorium.layout_version,
        })
    }

    fn changed_values(&self) -> Values {
        vec![(":auditorium_name", value(&self.name))]
    }

    fn removable_values(&self) -> Values {
        vec![(":theatre_id", value(&self.theatre_id))]
    }

    fn read(found: Item) -> Result<Self, Fault> {
        let record: Record = from_item(Self::NAME, found)?;
        Ok(Self {
            id: record.auditorium_id,
            name: record.auditorium_name,
            theatre_id: record.theatre_id,
            layout_version: record.layout_version,
        })
    }
}

/// The key of an auditorium. What must not happen without it checks that it is there.
pub(crate) fn auditorium_key(id: &AuditoriumId) -> Item {
    key::<Auditorium>(id)
}

/// What stands in the way of a further layout.
enum NotAdded {
    /// The auditorium is not as it was read.
    Changed,
    /// A layout of that version, which an auditorium of the same id had before it was removed.
    LayoutThere,
}

impl Store {
    /// Makes an auditorium with its first layout, which is version 1 unless one of its id had
    /// others before it was removed.
    ///
    /// Safe to repeat: the same one again is answered with what is there. Costs 4 write units, and
    /// 2 per KB of the layout.
    ///
    /// # Errors
    ///
    /// [`CreateError`].
    pub async fn create_auditorium(
        &self,
        auditorium: &Auditorium,
        layout: &Layout,
    ) -> Result<Versioned<Auditorium>, CreateError> {
        let mut layout_version = 1;
        for _ in 0..TRIES_MAX {
            let wanted = Auditorium { layout_version, ..auditorium.clone() };
            let first = layout::item_of(&wanted.id, layout_version, layout);
            let only = If::new(IF_ABSENT, []);
            let txn = self.creation(&wanted);
            let txn = txn.put(&self.tables.catalog, first, only, |_| Ok(NotCreated::LayoutThere));
            let refusals = match txn.commit().await {
                Ok(()) => return Ok(Versioned { entry: wanted, version: 1 }),
                Err(Aborted::Fault(fault)) => return Err(fault.into()),
                Err(Aborted::Refused(refusals)) => refusals,
            };
            match refusals.into_iter().next() {
                Some(NotCreated::There(found)) => {
                    return self.if_same(found, auditorium, layout).await;
                }
                Some(NotCreated::NoParent) => return Err(CreateError::NoParent),
                Some(NotCreated::LayoutThere) => {
                    layout_version = self.newest_layout(&auditorium.id).await?.saturating_add(1);
                }
                None => return Err(corrupt("auditorium: refused without a reason").into()),
            }
        }
        Err(Fault::Contended.into())
    }

    /// What is there, if it is what was to be made.
    async fn if_same(
        &self,
        found: Versioned<Auditorium>,
        wanted: &Auditorium,
        layout: &Layout,
    ) -> Result<Versioned<Auditorium>, CreateError> {
        let there = &found.entry;
        if there.name != wanted.name || there.theatre_id != wanted.theatre_id {
            return Err(CreateError::Exists);
        }
        let newest = self.layout(&there.id, there.layout_version).await?;
        if newest.as_ref() == Some(layout) { Ok(found) } else { Err(CreateError::Exists) }
    }

    /// Gives an auditorium another layout, which shows that are made from now on are sold under.
    /// Those that are there keep theirs.
    ///
    /// Safe to repeat: a layout that it has already is answered with what is there. Costs 2 reads
    /// (one of a layout), 2 write units, and 2 per KB of the layout.
    ///
    /// # Errors
    ///
    /// [`ReplaceError`].
    pub async fn add_layout(
        &self,
        id: &AuditoriumId,
        expected: Expected,
        layout: &Layout,
    ) -> Result<Versioned<Auditorium>, ReplaceError> {
        let mut newest = 0;
        for _ in 0..TRIES_MAX {
            let known = self.entry::<Auditorium>(id).await?.ok_or(ReplaceError::NotFound)?;
            if self.layout(id, known.entry.layout_version).await?.as_ref() == Some(layout) {
                return Ok(known);
            }
            if !expected.matches(known.version) {
                return Err(ReplaceError::Stale);
            }
            newest = known.entry.layout_version.max(newest);
            let changed = Versioned {
                entry: Auditorium { layout_version: newest.saturating_add(1), ..known.entry },
                version: known.version.saturating_add(1),
            };
            match self.addition(known.version, &changed, layout).commit().await {
                Ok(()) => return Ok(changed),
                Err(Aborted::Fault(fault)) => return Err(fault.into()),
                Err(Aborted::Refused(refusals)) => match refusals.first() {
                    Some(NotAdded::LayoutThere) => newest = self.newest_layout(id).await?,
                    // How it is now says whether that is still what was asked for.
                    Some(NotAdded::Changed) | None => {}
                },
            }
        }
        Err(Fault::Contended.into())
    }

    /// The steps that give an auditorium at `version` another layout. Of their refusals the first
    /// is the reason.
    fn addition(
        &self,
        version: u32,
        changed: &Versioned<Auditorium>,
        layout: &Layout,
    ) -> Txn<'_, NotAdded> {
        let Auditorium { id, layout_version, .. } = &changed.entry;
        let values =
            vec![(":layout_version", value(layout_version)), (":next", value(&changed.version))];
        let only = only_at(IF_UNCHANGED, version, values);
        let (catalog, new) = (&self.tables.catalog, layout::item_of(id, *layout_version, layout));
        Txn::new(self)
            .update(catalog, auditorium_key(id), SET_LAYOUT, only, |_| Ok(NotAdded::Changed))
            .put(catalog, new, If::new(IF_ABSENT, []), |_| Ok(NotAdded::LayoutThere))
    }

    /// Removes an auditorium none of whose shows has still to end, if it is at the version that is
    /// expected. Its layouts stay, for the shows that were.
    ///
    /// Safe to repeat: one that is not there is removed. Costs a read and 6 write units.
    ///
    /// # Errors
    ///
    /// [`RemoveError`].
    pub async fn remove_auditorium(
        &self,
        id: &AuditoriumId,
        expected: Expected,
        now: Timestamp,
    ) -> Result<(), RemoveError> {
        self.remove_with::<Auditorium>(id, expected, |txn| {
            let catalog = &txn.store().tables.catalog;
            let only = schedule::if_nothing_ahead(now);
            txn.delete(catalog, schedule::key(id), only, |_| Ok(NotRemoved::InUse))
        })
        .await
    }
}
