//! `PUT /api/admin/shows/{showId}`.

use serde_json::{Value, json};

use crate::create_auditorium::{AUDITORIUMS, one_row, studio};
use crate::create_city::tag;
use crate::create_show::{at, draft};
use crate::update_blocked_seats::one_within_the_other;
use crate::world::{Answer, World};

const NEW: &str = "/api/admin/shows/new";
const BLOCKED: &str = "/api/admin/shows/new/blocked-seats";

/// What a show is, but for its id and its prices.
fn plan(change: impl FnOnce(&mut Value)) -> Value {
    let mut plan = draft("new", change);
    let members = plan.as_object_mut().unwrap();
    members.remove("showId");
    members.remove("prices");
    plan
}

fn announced(draft: &mut Value) {
    draft["status"] = json!("SCHEDULED");
}

async fn put(world: &World, at: &str, plan: Value) -> Answer {
    world.admin_at(at, "PUT", NEW, plan).await
}

#[tokio::test]
async fn until_it_is_on_sale_all_of_it_may_change() {
    let world = World::with_films().await;
    world.create(draft("new", announced)).await.expect(201);
    let changed = plan(|draft| {
        announced(draft);
        draft["movieId"] = json!("amelie");
        draft["auditoriumId"] = json!("arena");
        draft["startsAt"] = json!("2026-11-26T20:00");
        draft["endsAt"] = json!("2026-11-26T23:00");
        draft["orphanRule"] = json!("ENFORCE");
    });
    let answer = put(&world, "\"1\"", changed.clone()).await;
    assert_eq!(tag(&answer), "\"2\"");
    let show = answer.expect(200);
    assert_eq!(show["movie"], json!({"movieId": "amelie", "title": "Amélie"}));
    assert_eq!(show["auditorium"]["auditoriumId"], "arena");
    assert_eq!(
        (&show["endsAt"], &show["orphanRule"]),
        (&json!("2026-11-26T17:30:00.000Z"), &json!("ENFORCE"))
    );
    let same = put(&world, "*", changed).await;
    assert_eq!(tag(&same), "\"2\"", "nothing new");

    world.create(draft("next", |_| {})).await.expect(201);
    let clash = draft("clash", |draft| {
        draft["auditoriumId"] = json!("arena");
        draft["startsAt"] = json!("2026-11-26T22:59");
    });
    assert_eq!(world.create(clash).await.problem(409), "show_overlaps");
    let found = world.get("/api/shows?city=delhi&date=2026-11-26").await.expect(200);
    assert_eq!(found["items"][0]["showId"], "new");
    let found = world.get("/api/shows?city=delhi&date=2026-11-25&movie=amelie").await.expect(200);
    assert_eq!(found["items"], json!([]));
}

#[tokio::test]
async fn once_it_was_on_sale_only_how_it_is_sold_changes() {
    let world = World::with_films().await;
    world.create(draft("new", |_| {})).await.expect(201);
    type Change = fn(&mut Value);
    let fixed: [Change; 4] = [
        |draft| draft["movieId"] = json!("amelie"),
        |draft| draft["auditoriumId"] = json!("arena"),
        |draft| draft["startsAt"] = json!("2026-11-25T19:01"),
        |draft| draft["endsAt"] = json!("2026-11-25T23:00"),
    ];
    for (number, change) in fixed.into_iter().enumerate() {
        assert_eq!(put(&world, "*", plan(change)).await.problem(409), "in_use", "case {number}");
    }
    let paused = put(&world, "\"1\"", plan(announced)).await;
    assert_eq!(tag(&paused), "\"2\"");
    assert_eq!(world.hold_of("ann", "new", &["A1"], "t1").await.problem(409), "show_not_on_sale");
    for change in fixed {
        let change = |draft: &mut Value| {
            announced(draft);
            change(draft);
        };
        let refused = put(&world, "*", plan(change)).await;
        assert_eq!(refused.problem(409), "in_use", "somebody may have bought a ticket");
    }
    let resumed = plan(|draft| {
        draft["language"] = json!("Hindi");
        draft["accessibleReleased"] = json!(true);
    });
    let resumed = put(&world, "\"2\"", resumed).await.expect(200);
    assert_eq!((&resumed["language"], &resumed["status"]), (&json!("Hindi"), &json!("ON_SALE")));
    world.hold_of("ann", "new", &["A1"], "t1").await.expect(201);
}

#[tokio::test]
async fn a_show_moves_only_to_a_time_that_is_free() {
    let world = World::with_films().await;
    world.create(draft("new", announced)).await.expect(201);
    world.create(at("there", "2026-11-25T22:00")).await.expect(201);
    let to = |starts_at: &'static str| {
        plan(|draft| {
            announced(draft);
            draft["startsAt"] = json!(starts_at);
        })
    };
    let refused = put(&world, "\"1\"", to("2026-11-25T19:33")).await;
    assert_eq!(refused.problem(409), "show_overlaps");
    put(&world, "\"1\"", to("2026-11-25T19:32")).await.expect(200);
    put(&world, "\"2\"", to("2026-11-25T18:00")).await.expect(200);
    world.create(at("early", "2026-11-25T15:32")).await.expect(201);
    let past = put(&world, "\"3\"", to("2026-11-22T11:00")).await;
    assert_eq!(past.problem(422), "invalid_show");
}

#[tokio::test(start_paused = true)]
async fn a_change_is_of_what_is_known_and_made_once() {
    let world = World::with_films().await;
    world.create(draft("new", announced)).await.expect(201);
    let blind = world.admin("PUT", NEW, plan(announced)).await;
    assert_eq!(blind.problem(428), "precondition_required");
    for stale in ["\"2\"", "W/\"1\"", "1", "\"x\""] {
        let refused = put(&world, stale, plan(|_| {})).await;
        assert_eq!(refused.problem(412), "precondition_failed", "{stale}");
    }
    world.lose_a_write();
    assert_eq!(put(&world, "\"1\"", plan(|_| {})).await.problem(503), "try_again");
    for _ in 0..2 {
        let again = put(&world, "\"1\"", plan(|_| {})).await;
        assert_eq!((again.status, tag(&again)), (200, "\"2\""), "only its answer was lost");
    }
    let other = put(&world, "\"1\"", plan(|draft| draft["language"] = json!("Hindi"))).await;
    assert_eq!(other.problem(412), "precondition_failed");
}

#[tokio::test]
async fn of_two_who_change_it_at_once_one_is_told() {
    let world = World::with_films().await;
    world.create(draft("new", |_| {})).await.expect(201);
    let (one, two) = tokio::join!(
        put(&world, "\"1\"", plan(|draft| draft["language"] = json!("Hindi"))),
        put(&world, "\"1\"", plan(|draft| draft["language"] = json!("Tamil"))),
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}

#[tokio::test]
async fn what_is_off_or_not_there_does_not_change() {
    let world = World::with_films().await;
    let nowhere = world.admin_at("*", "PUT", "/api/admin/shows/nowhere", plan(|_| {})).await;
    assert_eq!(nowhere.problem(404), "not_found");
    world.create(draft("new", |_| {})).await.expect(201);
    world.admin("POST", "/api/admin/shows/new/cancel", Value::Null).await.expect(202);
    let refused = put(&world, "\"1\"", plan(|_| {})).await;
    assert_eq!(refused.problem(412), "precondition_failed", "cancelling it was a change");
    assert_eq!(put(&world, "\"2\"", plan(|_| {})).await.problem(409), "show_cancelled");
    let with_prices = draft("new", |_| {});
    assert_eq!(put(&world, "*", with_prices).await.problem(400), "invalid_request");
}

/// What the house keeps are seats of a room, and nobody means others by them.
#[tokio::test]
async fn a_show_stays_in_its_room_while_the_house_keeps_seats_there() {
    let world = World::with_films().await;
    world.create(draft("new", announced)).await.expect(201);
    let blocked = json!({"seatIds": ["A1", "A2"]});
    world.admin("PUT", BLOCKED, blocked.clone()).await.expect(200);
    let moved = || {
        plan(|draft| {
            announced(draft);
            draft["auditoriumId"] = json!("arena");
        })
    };
    let refused = put(&world, "*", moved()).await;
    assert!(refused.body["detail"].as_str().unwrap().contains("house seats"), "{}", refused.body);
    assert_eq!(refused.problem(409), "in_use");
    let stands = world.get("/api/shows/new").await.expect(200);
    assert_eq!(stands["auditorium"]["auditoriumId"], "screen-1");
    let kept = world.admin("GET", BLOCKED, Value::Null).await.expect(200);
    assert_eq!(kept["seatIds"], blocked["seatIds"], "nothing was given back");
    let later = plan(|draft| {
        announced(draft);
        draft["startsAt"] = json!("2026-11-25T20:00");
    });
    put(&world, "*", later).await.expect(200);
    world.admin("PUT", BLOCKED, json!({"seatIds": []})).await.expect(200);
    put(&world, "*", moved()).await.expect(200);
}

/// Goal: the house never keeps seats of a room that the show left. Method: at each call of the one who
/// moves it, somebody else blocks a seat; and the other way round.
#[tokio::test]
async fn of_a_move_and_a_blocked_seat_at_once_one_is_refused() {
    let to_arena = || {
        plan(|draft| {
            announced(draft);
            draft["auditoriumId"] = json!("arena");
        })
    };
    let keep =
        |world: World| async move { world.admin("PUT", BLOCKED, json!({"seatIds": ["A1"]})).await };
    for calls in 0..12 {
        for moved_first in [true, false] {
            let world = World::with_films().await;
            world.create(draft("new", announced)).await.expect(201);
            let (moving, keeping) = (put(&world, "*", to_arena()), keep(world.cold()));
            let (moved, kept) = if moved_first {
                one_within_the_other(&world, calls, moving, keeping).await
            } else {
                let (kept, moved) = one_within_the_other(&world, calls, keeping, moving).await;
                (moved, kept)
            };
            let claims = world.items(&world.tables.seats).len();
            match (moved.status, kept.status) {
                (200, 422) => assert_eq!(claims, 0, "the arena has no seat A1: {calls} calls"),
                (409, 200) => assert_eq!(claims, 1, "{calls} calls"),
                both => panic!("{both:?} after {calls} calls"),
            }
        }
    }
}

/// Goal: a change of a show is what was asked for, and not its room rebuilt on the side. Method: a show
/// in a room that gets another layout is changed; then it moves away and comes back.
#[tokio::test]
async fn its_seats_stand_as_they_stood_until_it_moves_to_another_room() {
    let world = World::with_films().await;
    world.admin("POST", AUDITORIUMS, studio("studio", "regal")).await.expect(201);
    let in_studio = |draft: &mut Value| {
        announced(draft);
        draft["auditoriumId"] = json!("studio");
    };
    world.create(draft("new", in_studio)).await.expect(201);
    let layouts = "/api/admin/auditoriums/studio/layouts";
    world.admin_at("*", "POST", layouts, one_row(6)).await.expect(201);
    let later = plan(|draft| {
        in_studio(draft);
        draft["startsAt"] = json!("2026-11-25T20:00");
    });
    let show = put(&world, "\"1\"", later).await.expect(200);
    assert_eq!(show["auditorium"]["layoutVersion"], 1);
    let map = world.get("/api/shows/new/seats").await.expect(200);
    assert_eq!(map["items"].as_array().unwrap().len(), 8);

    put(&world, "*", plan(announced)).await.expect(200);
    let back = put(&world, "*", plan(in_studio)).await.expect(200);
    assert_eq!(back["auditorium"]["layoutVersion"], 2, "a room as it is now");
}

/// A listing stays, so a film is listed when it is known that its show can be.
#[tokio::test]
async fn a_change_that_is_refused_lists_no_film() {
    let world = World::with_films().await;
    world.create(draft("new", announced)).await.expect(201);
    world.create(at("there", "2026-11-25T22:00")).await.expect(201);
    let listed = |world: &World| {
        let items = world.items(&world.tables.catalog);
        items.iter().any(|item| item["sk"]["S"] == "MOVIE#2026-11-25#amelie")
    };
    let clash = plan(|draft| {
        announced(draft);
        draft["movieId"] = json!("amelie");
        draft["startsAt"] = json!("2026-11-25T21:00");
    });
    assert_eq!(put(&world, "*", clash).await.problem(409), "show_overlaps");
    assert!(!listed(&world));
    let free = plan(|draft| {
        announced(draft);
        draft["movieId"] = json!("amelie");
    });
    put(&world, "*", free).await.expect(200);
    assert!(listed(&world));
}

/// Goal: a seat of the house is never told to be free on the day that a show moved to. Method: its counts
/// are on the first day; the function dies at each of its calls in turn, and is asked again. No stream
/// counts anew.
#[tokio::test]
async fn what_the_house_keeps_is_counted_on_the_day_that_the_show_moves_to() {
    let moved = || plan(|draft| draft["startsAt"] = json!("2026-11-26T19:00"));
    for calls in 0.. {
        let world = World::with_films().await;
        world.create(draft("new", announced)).await.expect(201);
        world.admin("PUT", BLOCKED, json!({"seatIds": ["A1", "A2"]})).await.expect(200);
        world.count().await;
        let work = async { drop(put(&world, "\"2\"", moved()).await) };
        let alive = world.wire.kill_after(calls, work).await;
        let cold = world.cold();
        put(&cold, "\"2\"", moved()).await.expect(200);
        let found = cold.get("/api/shows?city=delhi&date=2026-11-26").await.expect(200);
        let left = &found["items"][0]["availability"];
        assert_eq!(left["available"], 22, "killed after {calls} calls: {left}");
        if alive {
            break;
        }
    }
}

/// Goal: what stands on a ticket stands. Method: a show late in the evening; its city then has clocks on
/// which it is the next day.
#[tokio::test]
async fn once_it_was_on_sale_it_keeps_the_clocks_of_its_tickets() {
    let world = World::with_films().await;
    let late = |draft: &mut Value| draft["startsAt"] = json!("2026-11-25T22:00");
    let before = world.create(draft("new", late)).await.expect(201);
    let city = json!({"name": "Delhi", "timeZone": "Asia/Tokyo"});
    world.admin_at("*", "PUT", "/api/admin/cities/delhi", city).await.expect(200);
    let dubbed = plan(|draft| {
        late(draft);
        draft["language"] = json!("Hindi");
    });
    let after = put(&world, "*", dubbed).await.expect(200);
    for name in ["startsAt", "endsAt", "timeZone", "startsAtLocal", "endsAtLocal"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    let found = world.get("/api/shows?city=delhi&date=2026-11-25").await.expect(200);
    assert_eq!(found["items"][0]["language"], "Hindi", "it is listed where it was");
}
