//! `PUT /api/admin/movies/{movieId}`.

use serde_json::{Value, json};

use crate::create_city::tag;
use crate::create_movie::{MOVIES, film};
use crate::world::{Answer, World};

/// A film as a change names it: without its id.
fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = film("heat", change);
    body.as_object_mut().unwrap().remove("movieId");
    body
}

async fn put(world: &World, at: &str, body: Value) -> Answer {
    world.admin_at(at, "PUT", &format!("{MOVIES}/heat"), body).await
}

#[tokio::test(start_paused = true)]
async fn everything_of_a_film_but_its_id_can_change() {
    let world = World::new().await;
    let missing = put(&world, "*", changed(|_| {})).await;
    assert_eq!(missing.problem(404), "not_found", "a change makes nothing");
    world.admin("POST", MOVIES, film("heat", |_| {})).await.expect(201);

    let change = |film: &mut Value| {
        film["title"] = json!("Heat (1995)");
        film["languages"] = json!(["English", "Hindi"]);
        film["genres"] = json!(["Thriller"]);
        film["runtimeMinutes"] = json!(171);
        film["certificate"] = json!("R");
    };
    world.lose_a_write();
    assert_eq!(put(&world, "\"1\"", changed(change)).await.problem(503), "try_again");
    let answer = put(&world, "\"1\"", changed(change)).await;
    assert_eq!(tag(&answer), "\"2\"");
    assert_eq!(answer.expect(200), film("heat", change));
    let found = world.admin("GET", &format!("{MOVIES}/heat"), Value::Null).await.expect(200);
    assert_eq!(found, film("heat", change));
}

#[tokio::test]
async fn a_change_of_what_it_is_not_is_refused() {
    let world = World::new().await;
    world.admin("POST", MOVIES, film("heat", |_| {})).await.expect(201);
    let title = |title: &'static str| changed(|film| film["title"] = json!(title));
    assert_eq!(put(&world, "\"2\"", title("Cold")).await.problem(412), "precondition_failed");
    let blind = world.admin("PUT", &format!("{MOVIES}/heat"), title("Cold")).await;
    assert_eq!(blind.problem(428), "precondition_required");
    let named = film("heat", |film| film["title"] = json!("Cold"));
    assert_eq!(put(&world, "*", named).await.problem(400), "invalid_request");
    assert_eq!(put(&world, "*", title("")).await.problem(400), "invalid_request");

    let (one, two) =
        tokio::join!(put(&world, "\"1\"", title("One")), put(&world, "\"1\"", title("Two")));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}
