//! `DELETE /api/admin/shows/{showId}`.

use serde_json::{Value, json};

use crate::create_show::draft;
use crate::update_blocked_seats::one_within_the_other;
use crate::world::{Answer, World};

const NEW: &str = "/api/admin/shows/new";
const BLOCKED: &str = "/api/admin/shows/new/blocked-seats";

async fn delete(world: &World, at: &str) -> Answer {
    world.admin_at(at, "DELETE", NEW, Value::Null).await
}

/// How many items the catalogue has of the show.
fn traces(world: &World) -> usize {
    let items = world.items(&world.tables.catalog);
    items.iter().filter(|item| item["pk"]["S"] == "SHOW#new").count()
}

fn announced(draft: &mut Value) {
    draft["status"] = json!("SCHEDULED");
}

async fn keep(world: &World, seats: &[&str]) -> Answer {
    world.admin("PUT", BLOCKED, json!({"seatIds": seats})).await
}

/// A world with a show that was never on sale, of which something was counted.
async fn world_with_counts() -> World {
    let world = World::with_films().await;
    world.create(draft("new", announced)).await.expect(201);
    keep(&world, &["A1", "B12"]).await.expect(200);
    world.count().await;
    keep(&world, &[]).await.expect(200);
    assert!(traces(&world) > 1, "its house seats were counted");
    world
}

#[tokio::test(start_paused = true)]
async fn a_show_that_was_never_on_sale_is_gone_with_all_its_traces() {
    let world = world_with_counts().await;
    world.get("/api/shows/new").await.expect(200);
    assert_eq!(delete(&world, "\"2\"").await.problem(412), "precondition_failed");
    let blind = world.admin("DELETE", NEW, Value::Null).await;
    assert_eq!(blind.problem(428), "precondition_required");

    world.lose_a_write();
    assert_eq!(delete(&world, "\"3\"").await.problem(503), "try_again");
    for _ in 0..2 {
        delete(&world, "\"3\"").await.expect(204);
    }
    assert_eq!(world.get("/api/shows/new").await.problem(404), "not_found");
    assert_eq!(traces(&world), 0);
    world.count().await;
    assert_eq!(traces(&world), 0, "the stream tells that its seats were given back");
    let found = world.cold().get("/api/shows?city=delhi&date=2026-11-25").await.expect(200);
    assert_eq!(found["items"], json!([]));
    world.create(draft("other", |_| {})).await.expect(201);
}

#[tokio::test]
async fn a_show_that_was_on_sale_is_cancelled_and_not_removed() {
    let world = World::with_films().await;
    world.create(draft("new", |_| {})).await.expect(201);
    assert_eq!(delete(&world, "*").await.problem(409), "in_use");
    let mut plan = draft("new", announced);
    for name in ["showId", "prices"] {
        plan.as_object_mut().unwrap().remove(name);
    }
    world.admin_at("*", "PUT", NEW, plan).await.expect(200);
    assert_eq!(delete(&world, "*").await.problem(409), "in_use", "somebody may have a ticket");
    world.get("/api/shows/new").await.expect(200);
}

/// Its sweep comes by minutes later, and would take the seats of another show that had its id by then.
#[tokio::test]
async fn a_show_that_was_cancelled_stays() {
    let world = World::with_films().await;
    world.create(draft("new", announced)).await.expect(201);
    world.admin("POST", "/api/admin/shows/new/cancel", Value::Null).await.expect(202);
    let refused = delete(&world, "*").await;
    assert_eq!(refused.body["detail"], "the show was cancelled");
    assert_eq!(refused.problem(409), "in_use");
    let stays = world.get("/api/shows/new").await.expect(200);
    assert_eq!(stays["status"], "CANCELLED");
    world.sweep().await;
    assert_eq!(delete(&world, "*").await.problem(409), "in_use", "also when it was swept");
}

#[tokio::test]
async fn a_show_stays_while_the_house_keeps_seats_of_it() {
    let world = World::with_films().await;
    world.create(draft("new", announced)).await.expect(201);
    keep(&world, &["A1", "B12"]).await.expect(200);
    world.count().await;
    let before = traces(&world);
    let refused = delete(&world, "*").await;
    assert!(refused.body["detail"].as_str().unwrap().contains("house seats"), "{}", refused.body);
    assert_eq!(refused.problem(409), "in_use");
    let kept = world.admin("GET", BLOCKED, Value::Null).await.expect(200);
    assert_eq!(kept["seatIds"], json!(["A1", "B12"]), "nothing was given back");
    assert_eq!(traces(&world), before, "and they are counted as before");
    keep(&world, &[]).await.expect(200);
    delete(&world, "*").await.expect(204);
}

/// Goal: the house never keeps seats of a show that is gone. Method: at each call of the one who removes
/// it, somebody else blocks a seat; and the other way round.
#[tokio::test]
async fn of_a_removal_and_a_blocked_seat_at_once_one_is_refused() {
    for calls in 0..8 {
        for removed_first in [true, false] {
            let world = World::with_films().await;
            world.create(draft("new", announced)).await.expect(201);
            let cold = world.cold();
            let (gone, kept) = if removed_first {
                one_within_the_other(&world, calls, delete(&world, "*"), keep(&cold, &["A1"])).await
            } else {
                let work = (keep(&cold, &["A1"]), delete(&world, "*"));
                let (kept, gone) = one_within_the_other(&world, calls, work.0, work.1).await;
                (gone, kept)
            };
            let claims = world.items(&world.tables.seats).len();
            match (gone.status, kept.status) {
                (204, 404) => assert_eq!((traces(&world), claims), (0, 0), "{calls} calls"),
                (409, 200) => assert_eq!((traces(&world), claims), (1, 1), "{calls} calls"),
                both => panic!("{both:?} after {calls} calls"),
            }
        }
    }
}

/// Goal: wherever the function dies, the show is there and nobody's time is lost, or it is gone. Method:
/// it dies at each of its calls in turn, and is asked again.
#[tokio::test]
async fn dying_anywhere_leaves_what_can_be_removed_again() {
    for calls in 0.. {
        let world = world_with_counts().await;
        let alive = world.wire.kill_after(calls, async { drop(delete(&world, "*").await) }).await;
        let cold = world.cold();
        delete(&cold, "*").await.expect(204);
        assert_eq!(traces(&cold), 0, "killed after {calls} calls");
        cold.create(draft("other", |_| {})).await.expect(201);
        if alive {
            break;
        }
    }
}
