//! `DELETE /api/admin/theatres/{theatreId}`.

use serde_json::{Value, json};

use crate::create_auditorium::{AUDITORIUMS, studio};
use crate::create_city::CITIES;
use crate::create_theatre::THEATRES;
use crate::delete_city::what_changed_meanwhile_stays;
use crate::world::World;

pub(crate) async fn open(world: &World, id: &str) -> String {
    let body = json!({"theatreId": id, "name": "Liberty", "city": "mumbai"});
    world.admin("POST", THEATRES, body).await.expect(201);
    format!("{THEATRES}/{id}")
}

#[tokio::test(start_paused = true)]
async fn a_removed_theatre_is_gone_and_its_city_may_go() {
    let world = World::new().await;
    let path = open(&world, "liberty").await;
    let blind = world.admin("DELETE", &path, Value::Null).await;
    assert_eq!(blind.problem(428), "precondition_required");
    let stale = world.admin_at("\"2\"", "DELETE", &path, Value::Null).await;
    assert_eq!(stale.problem(412), "precondition_failed");

    world.lose_a_write();
    let lost = world.admin_at("\"1\"", "DELETE", &path, Value::Null).await;
    assert_eq!(lost.problem(503), "try_again");
    for _ in 0..2 {
        world.admin_at("\"1\"", "DELETE", &path, Value::Null).await.expect(204);
        assert_eq!(world.admin("GET", &path, Value::Null).await.problem(404), "not_found");
    }
    let city = format!("{CITIES}/mumbai");
    world.admin_at("\"1\"", "DELETE", &city, Value::Null).await.expect(204);
}

#[tokio::test]
async fn a_theatre_with_auditoriums_is_in_use() {
    let world = World::new().await;
    let path = open(&world, "liberty").await;
    world.admin("POST", AUDITORIUMS, studio("liberty-1", "liberty")).await.expect(201);
    let in_use = world.admin_at("*", "DELETE", &path, Value::Null).await;
    assert_eq!(in_use.problem(409), "in_use");
    let auditorium = format!("{AUDITORIUMS}/liberty-1");
    world.admin_at("*", "DELETE", &auditorium, Value::Null).await.expect(204);
    world.admin_at("*", "DELETE", &path, Value::Null).await.expect(204);
}

#[tokio::test]
async fn a_theatre_that_was_changed_meanwhile_stays() {
    let world = World::new().await;
    let path = open(&world, "liberty").await;
    let body = json!({"name": "The Liberty"});
    for asked in [("PUT", path.as_str(), body), ("DELETE", &path, Value::Null)] {
        what_changed_meanwhile_stays(&world, asked, ("THEATRES", "THEATRE#liberty")).await;
    }
}

/// An entry that is removed while it moves: its kind and sort key, and what it stands in, by the name of
/// that attribute, the kind of those, and the sort keys of where it was and where it is then.
pub(crate) struct Moving {
    pub(crate) entry: (&'static str, &'static str),
    pub(crate) within: (&'static str, &'static str),
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

/// Goal: whatever is removed is counted where it stood. Method: just before the removal is written, somebody
/// removes the entry and makes it anew elsewhere, so that its version is the same.
pub(crate) async fn what_moved_meanwhile_is_counted(world: &World, path: &str, moving: &Moving) {
    let Moving { entry, within: (attribute, kind), from, to } = moving;
    let (db, table) = (world.db.clone(), world.tables.catalog.clone());
    let get =
        |(kind, sk): (&str, &str)| db.get(&table, &json!({"pk": {"S": kind}, "sk": {"S": sk}}));
    let children =
        |item: &Value| -> u32 { item["children_count"]["N"].as_str().unwrap().parse().unwrap() };
    let mut moved = get(*entry);
    let (_, id) = to.split_once('#').unwrap();
    moved[attribute] = json!({"S": id});
    let [mut left, mut joined] = [get((kind, from)), get((kind, to))];
    let (stay, there) = (children(&left) - 1, children(&joined));
    left["children_count"] = json!({"N": stay.to_string()});
    joined["children_count"] = json!({"N": (there + 1).to_string()});
    let written = {
        let (db, table) = (db.clone(), table.clone());
        move || [&moved, &left, &joined].into_iter().for_each(|item| db.put(&table, item))
    };
    world.wire.before_call(1, written);
    world.admin_at("\"1\"", "DELETE", path, Value::Null).await.expect(204);
    assert_eq!(get(*entry), Value::Null);
    assert_eq!((children(&get((kind, from))), children(&get((kind, to)))), (stay, there));
}

#[tokio::test]
async fn a_theatre_that_moved_meanwhile_is_counted_where_it_stood() {
    let world = World::new().await;
    let path = open(&world, "liberty").await;
    let moving = Moving {
        entry: ("THEATRES", "THEATRE#liberty"),
        within: ("city_id", "CITIES"),
        from: "CITY#mumbai",
        to: "CITY#delhi",
    };
    what_moved_meanwhile_is_counted(&world, &path, &moving).await;
}

/// Goal: nothing is counted in what is not there. Method: what it stands in was deleted behind our back.
pub(crate) async fn what_stands_nowhere_is_not_removed(world: &World, path: &str, parent: &Value) {
    world.db.delete(&world.tables.catalog, parent);
    let before = world.items(&world.tables.catalog);
    let removed = world.admin_at("*", "DELETE", path, Value::Null).await;
    assert_eq!(removed.problem(503), "try_again");
    assert_eq!(world.items(&world.tables.catalog), before);
}

#[tokio::test]
async fn a_theatre_in_no_city_is_not_removed() {
    let world = World::new().await;
    let path = open(&world, "liberty").await;
    let mumbai = json!({"pk": {"S": "CITIES"}, "sk": {"S": "CITY#mumbai"}});
    what_stands_nowhere_is_not_removed(&world, &path, &mumbai).await;
}

/// Goal: no auditorium stands in a theatre that is gone. Method: both at once, in many theatres.
#[tokio::test]
async fn a_theatre_is_removed_or_gets_an_auditorium_and_never_both() {
    let world = World::new().await;
    for round in 0..20 {
        let theatre = format!("theatre-{round}");
        let path = open(&world, &theatre).await;
        let body = studio(&format!("auditorium-{round}"), &theatre);
        let (removed, made) = tokio::join!(
            world.admin_at("*", "DELETE", &path, Value::Null),
            world.admin("POST", AUDITORIUMS, body),
        );
        match (removed.status, made.status) {
            (204, 422) => assert_eq!(made.problem(422), "unknown_reference"),
            (409, 201) => assert_eq!(removed.problem(409), "in_use"),
            both => panic!("round {round}: {both:?}"),
        }
    }
}
