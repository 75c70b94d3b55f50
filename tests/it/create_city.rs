//! `POST /api/admin/cities`.

use edge::Role;
use serde_json::{Value, json};

use crate::wire::Fault;
use crate::world::{Answer, World};

pub(crate) const CITIES: &str = "/api/admin/cities";

impl World {
    /// Calls the function behind a path, as an admin who knows what is there by this tag.
    pub(crate) async fn admin_at(
        &self,
        tag: &str,
        method: &str,
        path: &str,
        body: Value,
    ) -> Answer {
        let token = local::token::mint(&self.tokens, "boss", Role::Admin, self.now());
        let token = format!("Bearer {token}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.raw(method, path, &[("authorization", &token), ("if-match", tag)], &body).await
    }

    /// Has the next write carried out, and its answers lost until its caller gives up.
    pub(crate) fn lose_a_write(&self) {
        self.wire.inject("TransactWriteItems", Fault::LoseAnswer, 3);
    }
}

/// The version that an answer names.
#[track_caller]
pub(crate) fn tag(answer: &Answer) -> &str {
    assert!(answer.status < 300, "{:#}", answer.body);
    &answer.headers["etag"]
}

/// The ids of a list, under this name.
pub(crate) fn ids(list: &Value, name: &str) -> Vec<String> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item[name].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_city_is_made_under_its_folded_name() {
    let world = World::new().await;
    let body = json!({"name": "São Paulo", "timeZone": "America/Sao_Paulo"});
    let made = world.admin("POST", CITIES, body).await;
    assert_eq!(tag(&made), "\"1\"");
    let city = json!({"city": "sao-paulo", "name": "São Paulo", "timeZone": "America/Sao_Paulo"});
    assert_eq!(made.expect(201), city);

    let all = world.get("/api/cities").await.expect(200);
    assert_eq!(ids(&all, "city"), ["delhi", "mumbai", "sao-paulo"]);
}

#[tokio::test(start_paused = true)]
async fn a_repetition_is_answered_as_the_first_and_another_city_is_refused() {
    let world = World::new().await;
    let pune = json!({"name": "Pune", "timeZone": "Asia/Kolkata"});
    world.lose_a_write();
    assert_eq!(world.admin("POST", CITIES, pune.clone()).await.problem(503), "try_again");
    for _ in 0..2 {
        let again = world.admin("POST", CITIES, pune.clone()).await;
        assert_eq!((again.status, tag(&again)), (201, "\"1\""));
    }
    for other in [
        json!({"name": "Pune", "timeZone": "Europe/Paris"}),
        json!({"name": "PUNE", "timeZone": "Asia/Kolkata"}),
    ] {
        let answer = world.admin("POST", CITIES, other.clone()).await;
        assert_eq!(answer.problem(409), "already_exists", "{other}");
    }
    let found = world.admin("GET", &format!("{CITIES}/pune"), Value::Null).await.expect(200);
    assert_eq!((&found["name"], &found["timeZone"]), (&json!("Pune"), &json!("Asia/Kolkata")));
}

#[tokio::test]
async fn what_is_no_city_is_not_made() {
    let world = World::new().await;
    let before = world.items(&world.tables.catalog).len();
    for body in [
        json!({}),
        json!({"name": "Pune"}),
        json!({"name": " ", "timeZone": "Asia/Kolkata"}),
        json!({"name": "!!", "timeZone": "Asia/Kolkata"}),
        json!({"name": "x".repeat(201), "timeZone": "Asia/Kolkata"}),
        json!({"name": "Pune", "timeZone": "Asia/Puna"}),
        json!({"name": "Pune", "timeZone": "Asia/Kolkata", "city": "pune"}),
    ] {
        let answer = world.admin("POST", CITIES, body.clone()).await;
        assert_eq!(answer.problem(400), "invalid_request", "{body}");
    }
    assert_eq!(world.items(&world.tables.catalog).len(), before);
}
