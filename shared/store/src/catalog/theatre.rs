//! A theatre: key, attributes, conditions, reader. It stands in a city, for good, and auditoriums
//! stand in it.

use domain::catalog::{City, Name, Theatre};
use domain::id::{CityId, TheatreId};

use crate::Fault;
use crate::catalog::{Entry, Standalone, Stored, Values, key};
use crate::item::{Item, from_item, to_item, value};

#[derive(serde::Serialize, serde::Deserialize)]
struct Record {
    theatre_id: TheatreId,
    theatre_name: Name,
    city_id: CityId,
    children_count: u32,
}

impl Entry for Theatre {}

impl Standalone for Theatre {}

impl Stored for Theatre {
    type Id = TheatreId;

    const NAME: &'static str = "theatre";
    const PARTITION: &'static str = "THEATRES";
    const PREFIX: &'static str = "THEATRE#";
    const SET_CHANGED: &'static str = "SET theatre_name = :theatre_name, version = :next";
    const IF_REMOVABLE: &'static str =
        "version = :version AND city_id = :city_id AND children_count = :zero";

    fn id(&self) -> &TheatreId {
        &self.id
    }

    fn parent_key(&self) -> Option<Item> {
        Some(key::<City>(&self.city_id))
    }

    fn attributes(&self) -> Item {
        let Theatre { id: theatre_id, name: theatre_name, city_id } = self.clone();
        to_item(&Record { theatre_id, theatre_name, city_id, children_count: 0 })
    }

    fn changed_values(&self) -> Values {
        vec![(":theatre_name", value(&self.name))]
    }

    fn removable_values(&self) -> Values {
        vec![(":city_id", value(&self.city_id)), (":zero", value(&0))]
    }

    fn read(found: Item) -> Result<Self, Fault> {
        let Record { theatre_id, theatre_name, city_id, .. } = from_item(Self::NAME, found)?;
        Ok(Self { id: theatre_id, name: theatre_name, city_id })
    }
}
