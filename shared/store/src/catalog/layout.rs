//! A version of an auditorium's layout: key, attributes, reader.
//!
//! It never changes and is never removed, not even with its auditorium: shows that were sold under
//! it point to it, and functions remember it for a day.

use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use domain::id::AuditoriumId;
use domain::layout::Layout;

use crate::item::{Item, from_item, item, string, value};
use crate::txn::corrupt;
use crate::{Fault, Store};

#[derive(serde::Deserialize)]
struct Record {
    layout: Layout,
}

/// What belongs to one auditorium besides itself: layouts, and its schedule.
fn partition(auditorium: &AuditoriumId) -> String {
    format!("AUDITORIUM#{auditorium}")
}

fn key(auditorium: &AuditoriumId, version: u32) -> Item {
    item([("pk", string(partition(auditorium))), ("sk", string(format!("LAYOUT#{version:08}")))])
}

pub(super) fn item_of(auditorium: &AuditoriumId, version: u32, layout: &Layout) -> Item {
    let mut new = key(auditorium, version);
    new.insert("layout".to_owned(), value(layout));
    new
}

impl Store {
    /// A version of an auditorium's layout, if there is one. Costs one consistent read of one
    /// item: 1 unit per 4 KB, which is 1 for a cinema and some 60 for a stadium. It never changes.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn layout(&self, id: &AuditoriumId, version: u32) -> Result<Option<Layout>, Fault> {
        let Some(found) = self.catalog_item(key(id, version)).await? else {
            return Ok(None);
        };
        Ok(Some(from_item::<Record>("layout", found)?.layout))
    }

    /// The newest version of a layout that an auditorium of this id ever had, or 0. Costs one
    /// consistent query of one item, at the units of [`Store::layout`].
    pub(super) async fn newest_layout(&self, id: &AuditoriumId) -> Result<u32, Fault> {
        self.meter.called();
        let found = self
            .client
            .query()
            .table_name(&self.tables.catalog)
            .key_condition_expression("pk = :partition AND begins_with(sk, :layouts)")
            .expression_attribute_values(":partition", string(partition(id)))
            .expression_attribute_values(":layouts", string("LAYOUT#"))
            .projection_expression("sk")
            .scan_index_forward(false)
            .limit(1)
            .consistent_read(true)
            .return_consumed_capacity(Total)
            .send()
            .await?;
        self.meter.read(found.consumed_capacity());
        let Some(newest) = found.items().first() else { return Ok(0) };
        let version = newest.get("sk").and_then(|sort_key| sort_key.as_s().ok());
        let version = version.and_then(|sort_key| sort_key.strip_prefix("LAYOUT#")?.parse().ok());
        version.ok_or_else(|| corrupt("layout: `sk` is malformed"))
    }
}
