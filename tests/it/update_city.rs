//! `PUT /api/admin/cities/{city}`.

use serde_json::{Value, json};

use crate::create_city::{CITIES, tag};
use crate::world::{Answer, World};

async fn put(world: &World, at: &str, zone: &str) -> Answer {
    let body = json!({"name": "Delhi", "timeZone": zone});
    world.admin_at(at, "PUT", &format!("{CITIES}/delhi"), body).await
}

async fn zone(world: &World) -> Value {
    let found = world.admin("GET", &format!("{CITIES}/delhi"), Value::Null).await;
    found.expect(200)["timeZone"].clone()
}

#[tokio::test]
async fn a_change_names_the_version_that_it_is_of() {
    let world = World::new().await;
    let changed = put(&world, "\"1\"", "Asia/Colombo").await;
    assert_eq!((tag(&changed), &changed.body["timeZone"]), ("\"2\"", &json!("Asia/Colombo")));

    for stale in ["\"1\"", "\"3\"", "\"0\"", "\"x\"", "2", "W/\"2\"", "\"\""] {
        let answer = put(&world, stale, "Asia/Dubai").await;
        assert_eq!(answer.problem(412), "precondition_failed", "{stale}");
    }
    let body = json!({"name": "Delhi", "timeZone": "Asia/Dubai"});
    let blind = world.admin("PUT", &format!("{CITIES}/delhi"), body).await;
    assert_eq!(blind.problem(428), "precondition_required");
    assert_eq!(zone(&world).await, "Asia/Colombo");

    assert_eq!(tag(&put(&world, "*", "Asia/Dubai").await), "\"3\"");
    assert_eq!(zone(&world).await, "Asia/Dubai");
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_answer_was_lost_is_answered_again() {
    let world = World::new().await;
    world.lose_a_write();
    assert_eq!(put(&world, "\"1\"", "Asia/Dubai").await.problem(503), "try_again");
    for _ in 0..2 {
        let again = put(&world, "\"1\"", "Asia/Dubai").await;
        assert_eq!((again.status, tag(&again)), (200, "\"2\""), "it was written once");
    }
}

/// Goal: of two who change the same, one hears of the other. Method: many rounds at once.
#[tokio::test]
async fn of_two_admins_at_once_one_is_told_to_read_again() {
    let world = World::new().await;
    for round in 1..=10 {
        let at = format!("\"{round}\"");
        let (one, two) = tokio::join!(
            put(&world, &at, if round % 2 == 0 { "Asia/Dubai" } else { "Asia/Tokyo" }),
            put(&world, &at, if round % 2 == 0 { "Asia/Seoul" } else { "Asia/Colombo" }),
        );
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "round {round}");
        let won = if one.status == 200 { one } else { two };
        assert_eq!(zone(&world).await, won.body["timeZone"]);
    }
}

#[tokio::test]
async fn whoever_does_not_care_is_not_in_anybodys_way() {
    let world = World::new().await;
    let (one, two) = tokio::join!(put(&world, "*", "Asia/Dubai"), put(&world, "*", "Asia/Colombo"));
    assert_eq!((one.status, two.status), (200, 200));
    let mut tags = [tag(&one), tag(&two)];
    tags.sort_unstable();
    assert_eq!(tags, ["\"2\"", "\"3\""]);
}

#[tokio::test]
async fn a_city_keeps_its_id_and_its_theatres() {
    let world = World::new().await;
    let path = format!("{CITIES}/delhi");
    let body = json!({"name": "DELHI", "timeZone": "Asia/Kolkata"});
    let renamed = world.admin_at("\"1\"", "PUT", &path, body).await.expect(200);
    assert_eq!((&renamed["city"], &renamed["name"]), (&json!("delhi"), &json!("DELHI")));

    let body = json!({"name": "Mumbai", "timeZone": "Asia/Kolkata"});
    let other = world.admin_at("*", "PUT", &path, body).await;
    assert_eq!(other.problem(400), "invalid_request");
    let body = json!({"name": "Delhi", "timeZone": "Asia/Dehli"});
    let nowhere = world.admin_at("*", "PUT", &path, body).await;
    assert_eq!(nowhere.problem(400), "invalid_request");
    let body = json!({"name": "Atlantis", "timeZone": "Asia/Kolkata"});
    let lost = world.admin_at("*", "PUT", &format!("{CITIES}/atlantis"), body).await;
    assert_eq!(lost.problem(404), "not_found");

    let in_use = world.admin_at("*", "DELETE", &path, Value::Null).await;
    assert_eq!(in_use.problem(409), "in_use", "what stands in it still counts");
}
