//! `GET /api/movies?city=`.

use chrono::TimeDelta;
use domain::catalog::Expected;
use serde_json::{Value, json};

use crate::cinema::movie;
use crate::world::World;

fn titles(answer: &Value) -> Vec<&str> {
    let items = answer["items"].as_array().unwrap().iter();
    items.map(|item| item["title"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_city_lists_each_film_once_by_title_while_it_is_shown() {
    let world = World::new().await;
    for city in ["Delhi", "delhi", "DELHI"] {
        let path = format!("/api/movies?city={city}");
        assert_eq!(titles(&world.get(&path).await.expect(200)), ["Amélie", "Inception"]);
    }
    assert_eq!(titles(&world.get("/api/movies?city=Mumbai").await.expect(200)), [""; 0]);
    assert_eq!(titles(&world.get("/api/movies?city=Atlantis").await.expect(200)), [""; 0]);
    assert_eq!(world.get("/api/movies").await.problem(400), "invalid_request");

    world.advance(TimeDelta::days(2));
    let later = world.get("/api/movies?city=delhi").await.expect(200);
    assert_eq!(titles(&later), ["Inception"], "Amélie was yesterday");
}

#[tokio::test]
async fn films_come_by_page() {
    let world = World::new().await;
    let first = world.get("/api/movies?city=delhi&limit=1").await.expect(200);
    let cursor = first["nextCursor"].as_str().unwrap();
    let path = format!("/api/movies?city=delhi&limit=1&cursor={cursor}");
    let second = world.get(&path).await.expect(200);
    assert_eq!(titles(&second), ["Inception"]);
    assert_eq!(second["nextCursor"], json!(null));
}

#[tokio::test]
async fn a_film_is_found_by_the_beginning_of_a_word_and_by_its_language() {
    let world = World::new().await;
    let mut dangal = movie("dangal", "Dangal: The Wrestler");
    dangal.languages = vec!["हिन्दी".to_owned(), "Hindi".to_owned()];
    world.put_show(&dangal, |show| show.id = "show-3".parse().unwrap()).await;
    let cases: [(&str, &[&str]); 9] = [
        ("title=incep", &["Inception"]),
        ("title=AMELIE", &["Amélie"]),
        ("title=am%C3%A9", &["Amélie"]),
        ("title=wrest", &["Dangal: The Wrestler"]),
        ("title=restler", &[]),
        ("title=---", &[]),
        ("language=hindi", &["Dangal: The Wrestler"]),
        ("language=english&title=a", &["Amélie"]),
        ("language=hin", &[]),
    ];
    for (filter, expected) in cases {
        let path = format!("/api/movies?city=delhi&{filter}");
        assert_eq!(titles(&world.get(&path).await.expect(200)), expected, "{filter}");
    }
}

#[tokio::test]
async fn a_film_that_was_renamed_is_listed_so() {
    let world = World::new().await;
    let renamed = movie("amelie", "The Fabulous Destiny");
    world.store.replace(&renamed, Expected::Any).await.unwrap();
    let found = world.get("/api/movies?city=delhi").await.expect(200);
    assert_eq!(titles(&found), ["Inception", "The Fabulous Destiny"]);
}

#[tokio::test]
async fn a_list_costs_two_queries_a_minute_and_anybody_may_keep_it() {
    let world = World::new().await;
    let first = world.get("/api/movies?city=delhi").await;
    assert_eq!(first.headers["cache-control"], "public, max-age=60");
    let calls: Vec<_> = world.wire.take_calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["Query", "Query"]);
    let tag = first.headers["etag"].clone();
    let path = "/api/movies?city=delhi";
    let again = world.raw("GET", path, &[("if-none-match", &tag)], "").await;
    assert_eq!((again.status, again.body), (304, Value::Null));
    assert_eq!(world.wire.take_calls().len(), 0);
}
