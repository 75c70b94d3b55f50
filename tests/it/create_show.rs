//! `POST /api/admin/shows`.

use std::slice;

use chrono::TimeDelta;
use domain::schedule::Schedule;
use domain::show::Show;
use serde_json::{Value, json};
use store::{Reschedule, ScheduleError};

use crate::cinema::movie;
use crate::create_auditorium::{AUDITORIUMS, one_row, studio};
use crate::create_city::tag;
use crate::world::{Answer, World};

pub(crate) const SHOWS: &str = "/api/admin/shows";

/// A show of the evening three days on, as somebody writes it down; changed by `change`.
pub(crate) fn draft(id: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut draft = json!({
        "showId": id, "movieId": "inception", "auditoriumId": "screen-1",
        "startsAt": "2026-11-25T19:00", "language": "English", "screenType": "2D",
        "prices": {"REGULAR": {"amount": 45_000, "currency": "INR"}},
        "status": "ON_SALE",
    });
    change(&mut draft);
    draft
}

/// A draft that begins then.
pub(crate) fn at(id: &str, starts_at: &str) -> Value {
    draft(id, |draft| draft["startsAt"] = json!(starts_at))
}

impl World {
    /// A world whose films are in its catalogue, so that shows of them can be made.
    pub(crate) async fn with_films() -> Self {
        let world = Self::new().await;
        world.store.create(&movie("inception", "Inception")).await.unwrap();
        world.store.create(&movie("amelie", "Amélie")).await.unwrap();
        world
    }

    pub(crate) async fn create(&self, draft: Value) -> Answer {
        self.admin("POST", SHOWS, draft).await
    }
}

#[tokio::test]
async fn a_show_is_made_and_found_and_sold() {
    let world = World::with_films().await;
    let made = world.create(draft("new", |_| {})).await;
    assert_eq!(tag(&made), "\"1\"");
    let made = made.expect(201);
    assert_eq!((&made["showId"], &made["city"]), (&json!("new"), &json!("delhi")));
    assert_eq!(made["startsAt"], "2026-11-25T13:30:00.000Z", "the theatre's clocks are in Delhi");
    assert_eq!(made["endsAt"], "2026-11-25T15:58:00.000Z", "the film takes 148 minutes");
    assert_eq!(world.get("/api/shows/new").await.expect(200)["status"], "ON_SALE");
    let found = world.get("/api/shows?city=delhi&date=2026-11-25").await.expect(200);
    assert_eq!(found["items"][0]["showId"], "new");
    world.hold_of("ann", "new", &["A1"], "t1").await.expect(201);
    let sofa = world.hold_of("ann", "new", &["C1"], "t2").await;
    assert_eq!(sofa.problem(422), "unknown_seats", "it has no price for PREMIUM seats");
}

#[tokio::test]
async fn the_same_show_again_is_the_one_that_is_there() {
    let world = World::with_films().await;
    let first = world.create(draft("new", |_| {})).await.expect(201);
    let again = world.create(draft("new", |_| {})).await;
    assert_eq!((tag(&again), &again.body), ("\"1\"", &first));
    world.advance(TimeDelta::days(4));
    assert_eq!(world.create(draft("new", |_| {})).await.expect(201), first, "it has begun since");
    let other = draft("new", |draft| draft["language"] = json!("Hindi"));
    assert_eq!(world.create(other).await.problem(409), "already_exists");
}

#[tokio::test]
async fn no_two_shows_are_in_one_auditorium_at_once() {
    let world = World::with_films().await;
    world.create(draft("there", |_| {})).await.expect(201);
    for starts_at in ["2026-11-25T16:33", "2026-11-25T19:00", "2026-11-25T21:27"] {
        let refused = world.create(at("new", starts_at)).await;
        let detail = refused.body["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("show new") && detail.contains("show there"), "{detail}");
        assert_eq!(refused.problem(409), "show_overlaps", "{starts_at}");
    }
    world.create(at("before", "2026-11-25T16:32")).await.expect(201);
    world.create(at("behind", "2026-11-25T21:28")).await.expect(201);
    let elsewhere = draft("new", |draft| draft["auditoriumId"] = json!("arena"));
    world.create(elsewhere).await.expect(201);
}

#[tokio::test]
async fn a_show_that_was_cancelled_makes_room() {
    let world = World::with_films().await;
    world.create(draft("off", |_| {})).await.expect(201);
    world.admin("POST", "/api/admin/shows/off/cancel", Value::Null).await.expect(202);
    world.create(draft("new", |_| {})).await.expect(201);
    let again = world.create(draft("off", |_| {})).await;
    assert_eq!(again.problem(409), "already_exists", "it is another one since it was cancelled");
}

#[tokio::test]
async fn what_cannot_be_a_show_is_refused() {
    let world = World::with_films().await;
    type Change = fn(&mut Value);
    let cases: [(Change, u16, &str); 13] = [
        (|draft| draft["movieId"] = json!("nosferatu"), 422, "unknown_reference"),
        (|draft| draft["auditoriumId"] = json!("screen-9"), 422, "unknown_reference"),
        (|draft| draft["startsAt"] = json!("2026-11-22T12:00"), 422, "invalid_show"),
        (|draft| draft["startsAt"] = json!("2036-11-22T12:00"), 422, "invalid_show"),
        (|draft| draft["endsAt"] = json!("2026-11-25T18:00"), 422, "invalid_show"),
        (|draft| draft["endsAt"] = json!("2026-11-27T18:00"), 422, "invalid_show"),
        (|draft| draft["prices"] = json!({}), 422, "invalid_show"),
        (
            |draft| draft["prices"]["SOFA"] = json!({"amount": 1, "currency": "INR"}),
            422,
            "invalid_show",
        ),
        (
            |draft| draft["prices"]["PREMIUM"] = json!({"amount": 1, "currency": "EUR"}),
            422,
            "invalid_show",
        ),
        (|draft| draft["status"] = json!("CANCELLED"), 422, "invalid_show"),
        (|draft| draft["startsAt"] = json!("tomorrow"), 400, "invalid_request"),
        (|draft| draft["language"] = json!(""), 400, "invalid_request"),
        (|draft| draft["seats"] = json!(300), 400, "invalid_request"),
    ];
    for (number, (change, status, code)) in cases.into_iter().enumerate() {
        let refused = world.create(draft("new", change)).await;
        assert_eq!(refused.problem(status), code, "case {number}");
        assert_eq!(world.get("/api/shows/new").await.problem(404), "not_found");
    }
}

/// Goal: of shows that are planned at once, one gets the room. Method: some who want the same time, and
/// some who want one after another.
#[tokio::test]
async fn people_who_plan_at_once_do_not_get_the_same_room() {
    let world = World::with_films().await;
    let (one, two, three, four) = tokio::join!(
        world.create(draft("one", |_| {})),
        world.create(draft("two", |_| {})),
        world.create(at("three", "2026-11-25T21:00")),
        world.create(at("four", "2026-11-25T17:00")),
    );
    let answers = [&one, &two, &three, &four];
    assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 3 - others(&answers));
    let (five, six, seven, eight) = tokio::join!(
        world.create(at("five", "2026-11-26T09:00")),
        world.create(at("six", "2026-11-26T12:00")),
        world.create(at("seven", "2026-11-26T15:00")),
        world.create(at("eight", "2026-11-26T18:00")),
    );
    for answer in [five, six, seven, eight] {
        answer.expect(201);
    }
}

/// Of four shows, of which the third and the fourth overlap both others and not each other: how many
/// more than one were made.
fn others(answers: &[&Answer; 4]) -> usize {
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let is_pair = answers[2].status == 201 && answers[3].status == 201;
    assert!(made == 1 || (made == 2 && is_pair), "{answers:?}");
    made - 1
}

/// Goal: whoever tries again after this died gets the show, once. Method: it dies at each of its calls
/// in turn.
#[tokio::test]
async fn a_show_is_made_once_wherever_the_function_dies() {
    for calls in 0.. {
        let world = World::with_films().await;
        let work = async { drop(world.create(draft("new", |_| {})).await) };
        let alive = world.wire.kill_after(calls, work).await;
        let cold = world.cold();
        let made = cold.create(draft("new", |_| {})).await;
        assert_eq!(tag(&made), "\"1\"", "killed after {calls} calls");
        let clash = cold.create(draft("other", |_| {})).await;
        assert_eq!(clash.problem(409), "show_overlaps", "killed after {calls} calls");
        if alive {
            break;
        }
    }
}

#[tokio::test]
async fn an_auditorium_is_in_use_until_its_last_show_is_over() {
    let world = World::with_films().await;
    world.admin("POST", AUDITORIUMS, studio("studio", "regal")).await.expect(201);
    let show = draft("new", |draft| draft["auditoriumId"] = json!("studio"));
    world.create(show).await.expect(201);
    let path = "/api/admin/auditoriums/studio";
    let refused = world.admin_at("*", "DELETE", path, Value::Null).await;
    assert_eq!(refused.problem(409), "in_use");
    world.set_now("2026-11-25T15:58:00Z".parse().unwrap());
    world.admin_at("*", "DELETE", path, Value::Null).await.expect(204);
    let late = draft("late", |draft| {
        draft["auditoriumId"] = json!("studio");
        draft["startsAt"] = json!("2026-11-28T19:00");
    });
    assert_eq!(world.create(late).await.problem(422), "unknown_reference");
}

/// Goal: who bought a seat keeps it, however the room is rebuilt. Method: a show sold before, and one
/// made after, side by side.
#[tokio::test]
async fn two_layouts_of_a_room_live_at_once() {
    let world = World::with_films().await;
    world.admin("POST", AUDITORIUMS, studio("studio", "regal")).await.expect(201);
    let in_studio = |id: &str, starts_at: &str| {
        let mut draft = at(id, starts_at);
        draft["auditoriumId"] = json!("studio");
        draft
    };
    world.create(in_studio("old", "2026-11-25T12:00")).await.expect(201);
    let held = world.hold_of("ann", "old", &["A8"], "t1").await.expect(201);
    let payment = world.pay(&held, "succeed").await;
    let layouts = "/api/admin/auditoriums/studio/layouts";
    world.admin_at("*", "POST", layouts, one_row(6)).await.expect(201);
    let new = world.create(in_studio("new", "2026-11-25T19:00")).await.expect(201);
    assert_eq!(new["auditorium"]["layoutVersion"], 2);

    world.confirm("ann", "t1", &payment).await.expect(200);
    let map = |show: &'static str| {
        let world = &world;
        async move {
            let map = world.get(&format!("/api/shows/{show}/seats")).await.expect(200);
            let seats = map["items"].as_array().unwrap();
            let last = seats.last().unwrap();
            (seats.len(), last["seatId"].clone(), last["status"].clone())
        }
    };
    assert_eq!(map("old").await, (8, json!("A8"), json!("BOOKED")));
    assert_eq!(map("new").await, (6, json!("A6"), json!("AVAILABLE")));
    world.hold_of("bob", "old", &["A7"], "t2").await.expect(201);
    world.hold_of("bob", "new", &["A6"], "t3").await.expect(201);
    let gone = world.hold_of("bob", "new", &["A8"], "t4").await;
    assert_eq!(gone.problem(422), "unknown_seats");
    let again = world.get("/api/shows/old").await.expect(200);
    assert_eq!(again["auditorium"]["layoutVersion"], 1);
}

/// Goal: nobody writes over a show, or plans where there is no room. Method: what was not there when it was
/// looked for, and what was, is otherwise when the show is written.
#[tokio::test]
async fn a_show_is_written_upon_what_is_there() {
    let world = World::new().await;
    let sold = world.store.show(&"show-1".parse().unwrap()).await.unwrap().unwrap();
    let mut other = sold.clone();
    other.language = "Hindi".to_owned();
    let mut homeless = other.clone();
    homeless.id = "homeless".parse().unwrap();
    homeless.auditorium.id = "gone".parse().unwrap();
    let write = async |show: &Show| {
        let auditorium = show.auditorium.id.clone();
        let (seen, then) = (Schedule::default(), Schedule::default());
        world
            .store
            .create_shows(slice::from_ref(show), &Reschedule { auditorium, seen, then })
            .await
    };
    let refused = write(&other).await;
    assert!(matches!(refused, Err(ScheduleError::Changed)), "{refused:?}");
    assert_eq!(world.store.show(&sold.id).await.unwrap(), Some(sold));
    let refused = write(&homeless).await;
    assert!(matches!(refused, Err(ScheduleError::NoAuditorium)), "{refused:?}");
    assert_eq!(world.store.show(&homeless.id).await.unwrap(), None);
}
