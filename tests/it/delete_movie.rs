//! `DELETE /api/admin/movies/{movieId}`.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::create_movie::{MOVIES, film};
use crate::delete_city::what_changed_meanwhile_stays;
use crate::world::World;

#[tokio::test(start_paused = true)]
async fn a_removed_film_is_gone_however_often_it_is_removed() {
    let world = World::new().await;
    world.admin("POST", MOVIES, film("heat", |_| {})).await.expect(201);
    let path = format!("{MOVIES}/heat");
    let blind = world.admin("DELETE", &path, Value::Null).await;
    assert_eq!(blind.problem(428), "precondition_required");
    let stale = world.admin_at("\"2\"", "DELETE", &path, Value::Null).await;
    assert_eq!(stale.problem(412), "precondition_failed");

    world.lose_a_write();
    let lost = world.admin_at("\"1\"", "DELETE", &path, Value::Null).await;
    assert_eq!(lost.problem(503), "try_again");
    world.admin_at("\"1\"", "DELETE", &path, Value::Null).await.expect(204);
    assert_eq!(world.admin("GET", &path, Value::Null).await.problem(404), "not_found");
    world.admin("POST", MOVIES, film("heat", |_| {})).await.expect(201);
}

#[tokio::test]
async fn a_film_stays_while_some_city_shows_it() {
    let world = World::with_films().await;
    let path = format!("{MOVIES}/amelie");
    let delete = async || world.admin_at("*", "DELETE", &path, Value::Null).await;
    let stale = world.admin_at("\"7\"", "DELETE", &path, Value::Null).await;
    assert_eq!(stale.problem(412), "precondition_failed");
    let refused = delete().await;
    assert_eq!(refused.body["detail"], "the movie is still showing");
    assert_eq!(refused.problem(409), "in_use");
    world.admin("GET", &path, Value::Null).await.expect(200);
    world.advance(TimeDelta::days(1));
    assert_eq!(delete().await.problem(409), "in_use", "it is today");
    world.advance(TimeDelta::days(1));
    for _ in 0..2 {
        delete().await.expect(204);
    }
}

#[tokio::test]
async fn a_film_that_was_changed_meanwhile_stays() {
    let world = World::new().await;
    world.admin("POST", MOVIES, film("heat", |_| {})).await.expect(201);
    let path = format!("{MOVIES}/heat");
    let mut body = film("heat", |film| film["title"] = json!("Cold"));
    body.as_object_mut().unwrap().remove("movieId");
    for asked in [("PUT", path.as_str(), body), ("DELETE", &path, Value::Null)] {
        what_changed_meanwhile_stays(&world, asked, ("MOVIES", "MOVIE#heat")).await;
    }
}
