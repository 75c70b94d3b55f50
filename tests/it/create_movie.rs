//! `POST /api/admin/movies`.

use domain::limits::{MOVIE_TAGS_MAX, RUNTIME_MINUTES_MAX};
use serde_json::{Value, json};

use crate::create_city::tag;
use crate::world::World;

pub(crate) const MOVIES: &str = "/api/admin/movies";

/// A film, changed so.
pub(crate) fn film(id: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut film = json!({
        "movieId": id,
        "title": "Heat",
        "languages": ["English"],
        "genres": ["Crime", "Drama"],
        "runtimeMinutes": 170,
        "certificate": "A",
    });
    change(&mut film);
    film
}

#[tokio::test(start_paused = true)]
async fn a_film_is_made_once_however_often_it_is_sent() {
    let world = World::new().await;
    let heat = film("heat", |_| {});
    world.lose_a_write();
    assert_eq!(world.admin("POST", MOVIES, heat.clone()).await.problem(503), "try_again");
    for _ in 0..2 {
        let made = world.admin("POST", MOVIES, heat.clone()).await;
        assert_eq!(tag(&made), "\"1\"");
        assert_eq!(made.expect(201), heat);
    }
    let other = film("heat", |film| film["title"] = json!("Cold"));
    assert_eq!(world.admin("POST", MOVIES, other).await.problem(409), "already_exists");
}

#[tokio::test]
async fn what_is_no_film_is_not_made() {
    let world = World::new().await;
    let before = world.items(&world.tables.catalog).len();
    let set = |name: &'static str, value: Value| film("heat", |film| film[name] = value);
    for body in [
        set("movieId", json!("a b")),
        set("title", json!("")),
        set("languages", json!([])),
        set("languages", json!([" "])),
        set("languages", json!(vec!["English"; MOVIE_TAGS_MAX + 1])),
        set("genres", json!([])),
        set("genres", json!(vec!["Crime"; MOVIE_TAGS_MAX + 1])),
        set("runtimeMinutes", json!(0)),
        set("runtimeMinutes", json!(RUNTIME_MINUTES_MAX + 1)),
        set("runtimeMinutes", json!(-1)),
        set("certificate", json!("")),
        set("director", json!("Michael Mann")),
        json!({"movieId": "heat"}),
    ] {
        let answer = world.admin("POST", MOVIES, body.clone()).await;
        assert_eq!(answer.problem(400), "invalid_request", "{body}");
    }
    assert_eq!(world.items(&world.tables.catalog).len(), before);

    let most = film("heat", |film| {
        film["genres"] = json!(vec!["Crime"; MOVIE_TAGS_MAX]);
        film["runtimeMinutes"] = json!(RUNTIME_MINUTES_MAX);
    });
    world.admin("POST", MOVIES, most).await.expect(201);
}
