//! `GET /api/admin/movies`.

use serde_json::{Value, json};

use crate::create_city::ids;
use crate::create_movie::{MOVIES, film};
use crate::world::World;

#[tokio::test]
async fn all_films_come_by_id_and_by_page() {
    let world = World::new().await;
    let known = world.admin("GET", MOVIES, Value::Null).await.expect(200);
    let mut expected = ids(&known, "movieId");
    for id in ["zodiac", "Alien", "heat"] {
        world.admin("POST", MOVIES, film(id, |_| {})).await.expect(201);
        expected.push(id.to_owned());
    }
    expected.sort_unstable();

    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("{MOVIES}?limit=2{cursor}");
        let page = world.admin("GET", &path, Value::Null).await.expect(200);
        let on_page = ids(&page, "movieId");
        assert!((1..=2).contains(&on_page.len()), "{on_page:?}");
        found.extend(on_page);
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, expected);
    let all = world.admin("GET", MOVIES, Value::Null).await.expect(200);
    let heat = all["items"].as_array().unwrap().iter().find(|item| item["movieId"] == "heat");
    assert_eq!(heat, Some(&film("heat", |_| {})));
    assert_eq!(all["nextCursor"], json!(null));
}
