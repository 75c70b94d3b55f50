//! `POST /api/admin/theatres`.

use serde_json::json;

use crate::create_city::tag;
use crate::world::World;

pub(crate) const THEATRES: &str = "/api/admin/theatres";

#[tokio::test(start_paused = true)]
async fn a_theatre_is_made_once_however_often_it_is_sent() {
    let world = World::new().await;
    let liberty = json!({"theatreId": "liberty", "name": "Liberty", "city": "mumbai"});
    world.lose_a_write();
    assert_eq!(world.admin("POST", THEATRES, liberty.clone()).await.problem(503), "try_again");
    for _ in 0..2 {
        let made = world.admin("POST", THEATRES, liberty.clone()).await;
        assert_eq!(tag(&made), "\"1\"");
        assert_eq!(made.expect(201), liberty);
    }
    for other in [
        json!({"theatreId": "liberty", "name": "Freedom", "city": "mumbai"}),
        json!({"theatreId": "liberty", "name": "Liberty", "city": "delhi"}),
        json!({"theatreId": "liberty", "name": "Liberty", "city": "atlantis"}),
    ] {
        let answer = world.admin("POST", THEATRES, other.clone()).await;
        assert_eq!(answer.problem(409), "already_exists", "{other}");
    }
    let mumbai = world.items(&world.tables.catalog).into_iter();
    let mut mumbai = mumbai.filter(|item| item["sk"]["S"] == "CITY#mumbai");
    assert_eq!(mumbai.next().unwrap()["children_count"], json!({"N": "1"}), "it counts once");
}

#[tokio::test]
async fn a_theatre_stands_in_a_city_that_is_there() {
    let world = World::new().await;
    let body = json!({"theatreId": "liberty", "name": "Liberty", "city": "atlantis"});
    let nowhere = world.admin("POST", THEATRES, body).await;
    assert!(nowhere.body["detail"].as_str().unwrap().contains("atlantis"), "{nowhere:?}");
    assert_eq!(nowhere.problem(422), "unknown_reference");
    for body in [
        json!({"theatreId": "a b", "name": "Liberty", "city": "mumbai"}),
        json!({"theatreId": "liberty", "name": "", "city": "mumbai"}),
        json!({"theatreId": "liberty", "name": "Liberty"}),
    ] {
        let answer = world.admin("POST", THEATRES, body.clone()).await;
        assert_eq!(answer.problem(400), "invalid_request", "{body}");
    }
}
