//! A city: key, attributes, conditions, reader. Theatres stand in it.

use domain::catalog::{City, Name};
use domain::id::CityId;

use crate::Fault;
use crate::catalog::{Entry, Standalone, Stored, Values};
use crate::item::{Item, from_item, string, to_item, value};

#[derive(serde::Serialize, serde::Deserialize)]
struct Record {
    city_id: CityId,
    city_name: Name,
    time_zone: String,
    children_count: u32,
}

impl Entry for City {}

impl Standalone for City {}

impl Stored for City {
    type Id = CityId;

    const NAME: &'static str = "city";
    const PARTITION: &'static str = "CITIES";
    const PREFIX: &'static str = "CITY#";
    const SET_CHANGED: &'static str =
        "SET city_name = :city_name, time_zone = :time_zone, version = :next";
    const IF_REMOVABLE: &'static str = "version = :version AND children_count = :zero";

    fn id(&self) -> &CityId {
        &self.id
    }

    fn parent_key(&self) -> Option<Item> {
        None
    }

    fn attributes(&self) -> Item {
        let City { id: city_id, name: city_name, time_zone } = self.clone();
        to_item(&Record { city_id, city_name, time_zone, children_count: 0 })
    }

    fn changed_values(&self) -> Values {
        vec![(":city_name", value(&self.name)), (":time_zone", string(&self.time_zone))]
    }

    fn removable_values(&self) -> Values {
        vec![(":zero", value(&0))]
    }

    fn read(found: Item) -> Result<Self, Fault> {
        let Record { city_id, city_name, time_zone, .. } = from_item(Self::NAME, found)?;
        Ok(Self { id: city_id, name: city_name, time_zone })
    }
}
