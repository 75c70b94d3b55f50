//! `DELETE /api/admin/cities/{city}`.

use serde_json::{Value, json};

use crate::create_city::CITIES;
use crate::create_theatre::THEATRES;
use crate::world::World;

#[tokio::test]
async fn a_removed_city_is_gone_however_often_it_is_removed() {
    let world = World::new().await;
    let path = format!("{CITIES}/mumbai");
    let blind = world.admin("DELETE", &path, Value::Null).await;
    assert_eq!(blind.problem(428), "precondition_required");
    let stale = world.admin_at("\"2\"", "DELETE", &path, Value::Null).await;
    assert_eq!(stale.problem(412), "precondition_failed");
    world.admin("GET", &path, Value::Null).await.expect(200);

    for tag in ["\"1\"", "\"1\"", "*"] {
        world.admin_at(tag, "DELETE", &path, Value::Null).await.expect(204);
        assert_eq!(world.admin("GET", &path, Value::Null).await.problem(404), "not_found");
    }
    let never = format!("{CITIES}/atlantis");
    world.admin_at("\"7\"", "DELETE", &never, Value::Null).await.expect(204);
    let nothing = format!("{CITIES}/a%20b");
    let nothing = world.admin_at("*", "DELETE", &nothing, Value::Null).await;
    assert_eq!(nothing.problem(404), "not_found");
}

#[tokio::test(start_paused = true)]
async fn a_removal_whose_answer_was_lost_is_answered_again() {
    let world = World::new().await;
    let path = format!("{CITIES}/mumbai");
    world.lose_a_write();
    let lost = world.admin_at("\"1\"", "DELETE", &path, Value::Null).await;
    assert_eq!(lost.problem(503), "try_again");
    world.admin_at("\"1\"", "DELETE", &path, Value::Null).await.expect(204);
}

#[tokio::test]
async fn a_city_with_theatres_is_in_use() {
    let world = World::new().await;
    let body = json!({"theatreId": "liberty", "name": "Liberty", "city": "mumbai"});
    world.admin("POST", THEATRES, body).await.expect(201);
    let path = format!("{CITIES}/mumbai");
    let in_use = world.admin_at("*", "DELETE", &path, Value::Null).await;
    assert_eq!(in_use.problem(409), "in_use");

    let theatre = format!("{THEATRES}/liberty");
    world.admin_at("*", "DELETE", &theatre, Value::Null).await.expect(204);
    world.admin_at("\"1\"", "DELETE", &path, Value::Null).await.expect(204);
}

/// Goal: nobody changes or removes what is not as they saw it. Method: just before each call of that in turn
/// somebody else changes the entry; the last time they come too late.
pub(crate) async fn what_changed_meanwhile_stays(
    world: &World,
    (method, path, body): (&str, &str, Value),
    (kind, sk): (&str, &str),
) {
    let table = world.tables.catalog.clone();
    let key = json!({"pk": {"S": kind}, "sk": {"S": sk}});
    let before = world.db.get(&table, &key);
    let mut changed = before.clone();
    changed["version"] = json!({"N": "2"});
    for calls in 0.. {
        world.db.put(&table, &before);
        world.wire.take_calls();
        let (db, of, then) = (world.db.clone(), table.clone(), changed.clone());
        world.wire.before_call(calls, move || db.put(&of, &then));
        let done = world.admin_at("\"1\"", method, path, body.clone()).await;
        if world.wire.take_calls().len() <= calls {
            assert!([200, 201, 204].contains(&done.status), "{done:?}");
            assert!(calls > 0, "it is written");
            world.db.put(&table, &before);
            return;
        }
        assert_eq!(done.problem(412), "precondition_failed", "before call {calls}");
        assert_eq!(world.db.get(&table, &key), changed, "before call {calls}");
    }
}

#[tokio::test]
async fn a_city_that_was_changed_meanwhile_stays() {
    let world = World::new().await;
    let path = format!("{CITIES}/mumbai");
    let body = json!({"name": "Mumbai", "timeZone": "Asia/Dubai"});
    for asked in [("PUT", path.as_str(), body), ("DELETE", &path, Value::Null)] {
        what_changed_meanwhile_stays(&world, asked, ("CITIES", "CITY#mumbai")).await;
    }
}

/// Goal: no theatre stands in a city that is gone. Method: both at once, in many cities.
#[tokio::test]
async fn a_city_is_removed_or_gets_a_theatre_and_never_both() {
    let world = World::new().await;
    for round in 0..20 {
        let body = json!({"name": format!("City {round}"), "timeZone": "Asia/Kolkata"});
        world.admin("POST", CITIES, body).await.expect(201);
        let (city, id) = (format!("{CITIES}/city-{round}"), format!("theatre-{round}"));
        let body = json!({"theatreId": id, "name": "Regal", "city": format!("city-{round}")});
        let (removed, made) = tokio::join!(
            world.admin_at("*", "DELETE", &city, Value::Null),
            world.admin("POST", THEATRES, body),
        );
        match (removed.status, made.status) {
            (204, 422) => assert_eq!(made.problem(422), "unknown_reference"),
            (409, 201) => assert_eq!(removed.problem(409), "in_use"),
            both => panic!("round {round}: {both:?}"),
        }
    }
}
