//! `POST /api/admin/schedules`.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Instant;

use chrono::TimeDelta;
use domain::time::Timestamp;
use edge::Role;
use serde_json::{Value, json};

use crate::create_auditorium::{AUDITORIUMS, studio};
use crate::create_show::{at, draft};
use crate::engine::{Engine, only_embedded};
use crate::world::{Answer, World};

const SCHEDULES: &str = "/api/admin/schedules";
const HEADER: &str = "showId,movieId,auditoriumId,startsAt,endsAt,language,screenType,status,\
    orphanRule,currency,price.REGULAR,price.PREMIUM";

async fn load(world: &World, shows: &[Value]) -> Answer {
    world.admin("POST", SCHEDULES, json!({"shows": shows})).await
}

async fn load_csv(world: &World, rows: &[String]) -> Answer {
    let token = local::token::mint(&world.tokens, "boss", Role::Admin, world.now());
    let token = format!("Bearer {token}");
    let headers = [("authorization", token.as_str()), ("content-type", "text/csv; charset=utf-8")];
    let file = format!("{HEADER}\r\n{}\r\n", rows.join("\r\n"));
    world.raw("POST", SCHEDULES, &headers, &file).await
}

fn row(id: &str, auditorium: &str, starts_at: &str) -> String {
    format!("{id},inception,{auditorium},{starts_at},,English,2D,ON_SALE,,INR,45000,")
}

/// The mistakes of a schedule that was refused: line, show, what is wrong.
fn mistakes(answer: Answer) -> Vec<(u64, String, String)> {
    let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
    assert_eq!(answer.problem(422), "invalid_schedule");
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mistake =
        |of: &Value| (of["line"].as_u64().unwrap(), text(&of["showId"]), text(&of["detail"]));
    errors.iter().map(mistake).collect()
}

/// How many shows there are besides those of every world.
fn loaded(world: &World) -> usize {
    let items = world.items(&world.tables.catalog);
    let shows = items.iter().filter(|item| item["sk"]["S"] == "SHOW");
    shows.count() - 6
}

/// Goal: a chain's week loads in one call, and can be searched. Method: 100 shows in each of 50
/// auditoriums, with the time it takes; then a broken line in the middle of another week.
#[tokio::test]
async fn five_thousand_shows_in_fifty_auditoriums_load_in_one_call() {
    let world = World::with_films().await;
    for number in 0..50 {
        let auditorium = studio(&format!("room-{number}"), "regal");
        world.admin("POST", AUDITORIUMS, auditorium).await.expect(201);
    }
    let begin: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    let week = |name: &str, weeks: i64| -> Vec<String> {
        let show = |number: i64| {
            let (room, slot) = (number % 50, number / 50);
            let starts_at = begin + TimeDelta::weeks(2 * weeks) + TimeDelta::hours(3 * slot);
            let starts_at = domain::time::text(starts_at);
            row(&format!("{name}-{number}"), &format!("room-{room}"), &starts_at)
        };
        (0..5_000).map(show).collect()
    };
    let started = Instant::now();
    let answer = load_csv(&world, &week("first", 0)).await.expect(201);
    let took = started.elapsed();
    assert_eq!(answer, json!({"created": 5_000, "unchanged": 0}));
    assert!(took.as_secs() < 28, "it took {took:?}");
    assert_eq!(loaded(&world), 5_000);
    let found = world.get("/api/shows?city=delhi&date=2026-12-03&limit=100&movie=incep").await;
    let found = found.expect(200);
    assert_eq!(found["items"].as_array().unwrap().len(), 100);
    assert!(found["nextCursor"].is_string(), "8 times 50 of them");
    world.hold_of("ann", "first-4999", &["A8"], "t1").await.expect(201);

    let mut second = week("second", 1);
    second[2_500] = second[2_500].replace("inception", "nosferatu");
    let told = mistakes(load_csv(&world, &second).await);
    let (line, show, _) = &told[0];
    assert_eq!((told.len(), *line, show.as_str()), (1, 2_502, "second-2500"), "{told:?}");
    assert_eq!(loaded(&world), 5_000, "nothing of it");

    let again = load_csv(&world, &week("first", 0)).await.expect(201);
    assert_eq!(again, json!({"created": 0, "unchanged": 5_000}));
}

#[tokio::test]
async fn a_list_in_json_loads_as_a_table_does() {
    let world = World::with_films().await;
    let day = "/api/shows?city=delhi&date=2026-11-25";
    assert_eq!(world.get(day).await.expect(200)["items"], json!([]));
    let shows = [draft("one", |_| {}), at("two", "2026-11-25T21:28")];
    let answer = load(&world, &shows).await.expect(201);
    assert_eq!(answer, json!({"created": 2, "unchanged": 0}));
    let found = world.get(day).await.expect(200);
    assert_eq!(found["items"].as_array().unwrap().len(), 2, "who loads on a desk sees it at once");
    let rows = [
        row("one", "screen-1", "2026-11-25T19:00"),
        row("two", "screen-1", "2026-11-25T15:58:00Z"),
        row("three", "arena", "2026-11-25T19:00"),
    ];
    let answer = load_csv(&world, &rows).await.expect(201);
    assert_eq!(answer, json!({"created": 1, "unchanged": 2}), "the same, written otherwise");
    assert_eq!(load(&world, &[]).await.expect(201), json!({"created": 0, "unchanged": 0}));
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once_and_nothing_is_loaded() {
    let world = World::with_films().await;
    world.create(draft("there", |_| {})).await.expect(201);
    let other = |id: &str, change: fn(&mut Value)| {
        draft(id, |draft| {
            draft["auditoriumId"] = json!("arena");
            change(draft);
        })
    };
    let shows = [
        at("clash", "2026-11-25T20:00"),
        other("one", |_| {}),
        other("two", |draft| draft["startsAt"] = json!("2026-11-25T21:00")),
        other("film", |draft| draft["movieId"] = json!("nosferatu")),
        other("room", |draft| draft["auditoriumId"] = json!("screen-9")),
        other("past", |draft| draft["startsAt"] = json!("2026-11-20T21:00")),
        other("type", |draft| draft["prices"] = json!({})),
        other("word", |draft| draft["startsAt"] = json!("soon")),
        at("good", "2026-11-26T20:00"),
        at("good", "2026-11-27T20:00"),
        draft("there", |draft| draft["language"] = json!("Hindi")),
    ];
    let told = mistakes(load(&world, &shows).await);
    let named: Vec<_> = told.iter().map(|(line, show, _)| (*line, show.as_str())).collect();
    assert_eq!(
        named,
        [
            (1, "clash"),
            (3, "two"),
            (4, "film"),
            (5, "room"),
            (6, "past"),
            (7, "type"),
            (8, "word"),
            (10, "good"),
            (11, "there"),
        ]
    );
    let says = |number: usize, words: &[&str]| {
        let detail = &told[number].2;
        assert!(words.iter().all(|word| detail.contains(word)), "{detail}");
    };
    says(0, &["show clash", "show there"]);
    says(1, &["show two", "show one"]);
    says(2, &["nosferatu"]);
    says(3, &["screen-9"]);
    says(7, &["line 9"]);
    says(8, &["it is there already, with another language"]);
    assert_eq!(loaded(&world), 1);
}

/// Goal: a schedule is loaded again with what came to it, whatever became of its shows since; and what it
/// does not say of them any more is told. Method: shows that were put on sale, priced and cancelled.
#[tokio::test]
async fn a_show_that_was_put_on_sale_since_is_unchanged_and_one_that_differs_is_told() {
    let world = World::with_films().await;
    let announced = |id: &str, starts_at: &str| {
        let mut draft = at(id, starts_at);
        draft["status"] = json!("SCHEDULED");
        draft
    };
    let mut shows =
        vec![announced("one", "2026-11-25T09:00"), announced("two", "2026-11-25T12:00")];
    load(&world, &shows).await.expect(201);
    for (show, starts_at) in [("one", "2026-11-25T09:00"), ("two", "2026-11-25T12:00")] {
        let mut plan = at(show, starts_at);
        for name in ["showId", "prices"] {
            plan.as_object_mut().unwrap().remove(name);
        }
        let path = format!("/api/admin/shows/{show}");
        world.admin_at("*", "PUT", &path, plan).await.expect(200);
    }
    shows.push(announced("three", "2026-11-25T15:00"));
    let answer = load(&world, &shows).await.expect(201);
    assert_eq!(answer, json!({"created": 1, "unchanged": 2}));
    let one = world.get("/api/shows/one").await.expect(200);
    assert_eq!(one["status"], "ON_SALE", "it stays on sale");

    let prices = json!({"prices": {"REGULAR": {"amount": 1, "currency": "INR"}}});
    world.admin_at("*", "PUT", "/api/admin/shows/one/prices", prices).await.expect(200);
    world.admin("POST", "/api/admin/shows/two/cancel", Value::Null).await.expect(202);
    let told = mistakes(load(&world, &shows).await);
    let expected = [
        (1, "one".to_owned(), "it is there already, with other prices".to_owned()),
        (2, "two".to_owned(), "it is there already, and was cancelled".to_owned()),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_show_with_more_prices_than_there_may_be_is_a_mistake_of_its_line() {
    let world = World::with_films().await;
    let price = json!({"amount": 1, "currency": "INR"});
    let prices: serde_json::Map<String, Value> =
        (0..51).map(|number| (format!("T{number}"), price.clone())).collect();
    let priced = draft("many", |draft| draft["prices"] = json!(prices));
    let told = mistakes(load(&world, &[draft("one", |_| {}), priced.clone()]).await);
    let detail = "a show has at most 50 prices".to_owned();
    assert_eq!(told, [(2, "many".to_owned(), detail.clone())]);
    let refused = world.create(priced).await;
    assert_eq!(refused.body["detail"], json!(detail));
    assert_eq!(refused.problem(422), "invalid_show");
}

#[tokio::test]
async fn a_thousand_mistakes_are_told_by_the_first_hundred() {
    let world = World::with_films().await;
    let rows: Vec<String> = (0..1_000)
        .map(|number| row(&format!("s{number}"), "nowhere", "2026-11-25T19:00"))
        .collect();
    let told = mistakes(load_csv(&world, &rows).await);
    let lines: Vec<u64> = told.into_iter().map(|(line, ..)| line).collect();
    assert_eq!(lines, (2..=101).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_too_large_is_refused_whole() {
    let world = World::with_films().await;
    let rows: Vec<String> = (0..5_001)
        .map(|number| row(&format!("s{number}"), "nowhere", "2026-11-25T19:00"))
        .collect();
    let told = mistakes(load_csv(&world, &rows).await);
    assert_eq!(told.len(), 100);
    let long = "s".repeat(200_000);
    let rows: Vec<String> = (0..27).map(|_| row(&long, "nowhere", "2026-11-25T19:00")).collect();
    assert_eq!(load_csv(&world, &rows).await.problem(413), "payload_too_large");
    for body in [json!([]), json!({}), json!({"shows": {}}), json!({"shows": [], "more": 1})] {
        let refused = world.admin("POST", SCHEDULES, body).await;
        assert_eq!(refused.problem(400), "invalid_request");
    }
}

/// Goal: whoever loads again after it died has every show once. Method: it dies at each of its calls in
/// turn; a schedule of three transactions in two auditoriums.
#[tokio::test]
async fn dying_anywhere_is_finished_by_loading_again() {
    let begin: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    let mut rows: Vec<String> = (0..100)
        .map(|slot| {
            let starts_at = domain::time::text(begin + TimeDelta::hours(3 * slot));
            row(&format!("s{slot}"), "screen-1", &starts_at)
        })
        .collect();
    rows.push(row("a", "arena", "2026-12-01T19:00"));
    let mut was_partial = false;
    for calls in 0.. {
        let world = World::with_films().await;
        let work = async { drop(load_csv(&world, &rows).await) };
        let alive = world.wire.kill_after(calls, work).await;
        let before = loaded(&world);
        was_partial |= (1..101).contains(&before);
        let answer = load_csv(&world.cold(), &rows).await.expect(201);
        let [created, unchanged] = ["created", "unchanged"].map(|of| answer[of].as_u64().unwrap());
        assert_eq!(created + unchanged, 101, "after {calls}");
        if only_embedded("a server goes on with what the dead had asked of it") {
            assert_eq!(usize::try_from(unchanged), Ok(before), "after {calls}");
        }
        assert_eq!(loaded(&world), 101);
        if alive {
            break;
        }
    }
    assert!(was_partial, "it never died between two transactions");
}

/// Goal: people who load at once into the same room never overlap, and each hears the truth. Method: two
/// schedules whose shows are one after another, and two that want the same time.
#[tokio::test]
async fn two_who_load_at_once_share_a_room_or_are_told() {
    let world = World::with_films().await;
    let early = [at("one", "2026-11-25T09:00"), at("two", "2026-11-25T12:00")];
    let late = [at("three", "2026-11-25T15:00"), at("four", "2026-11-25T18:00")];
    let (one, two) = tokio::join!(load(&world, &early), load(&world, &late));
    one.expect(201);
    two.expect(201);
    let (five, six) = ([at("five", "2026-11-26T09:00")], [at("six", "2026-11-26T10:00")]);
    let (one, two) = tokio::join!(load(&world, &five), load(&world, &six));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422]);
    assert_eq!(loaded(&world), 5);
}

/// Plans a show in screen-1, behind all others there, as somebody else would: as `like` is, at this time.
fn intrude(db: &Engine, table: &str, like: &str, begin: Timestamp) {
    let get = |pk: &str, sk: &str| db.get(table, &json!({"pk": {"S": pk}, "sk": {"S": sk}}));
    let mut show = get(&format!("SHOW#{like}"), "SHOW");
    show["pk"] = json!({"S": "SHOW#intruder"});
    db.put(table, &show);
    let mut schedule = get("AUDITORIUM#screen-1", "SCHEDULE");
    let end = (begin + TimeDelta::hours(2)).timestamp_millis();
    let before = schedule["schedule"]["S"].as_str().unwrap();
    let then = format!("{before}{} {end} intruder\n", begin.timestamp_millis());
    schedule["schedule"] = json!({"S": then});
    db.put(table, &schedule);
}

/// Goal: nobody is told that nothing was loaded when something was. Method: between the two transactions
/// of a schedule somebody else takes the time of its last show.
#[tokio::test]
async fn what_was_loaded_before_somebody_took_the_rest_is_told() {
    let world = World::with_films().await;
    let begin: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    let time = move |slot: i64| begin + TimeDelta::hours(3 * slot);
    let rows: Vec<String> = (0..97)
        .map(|slot| row(&format!("s{slot}"), "screen-1", &domain::time::text(time(slot))))
        .collect();
    let (db, table, is_done) =
        (world.db.clone(), world.tables.catalog.clone(), AtomicBool::new(false));
    world.wire.at_each_call(move || {
        let key = json!({"pk": {"S": "SHOW#s0"}, "sk": {"S": "SHOW"}});
        if db.get(&table, &key).is_object() && !is_done.swap(true, SeqCst) {
            intrude(&db, &table, "s0", time(96));
        }
    });
    let answer = load_csv(&world, &rows).await;
    assert_eq!(answer.body["created"], 96);
    let detail = answer.body["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("96 shows were loaded"), "{detail}");
    let told = mistakes(answer);
    let (line, show, why) = &told[0];
    assert_eq!((told.len(), *line, show.as_str()), (1, 98, "s96"));
    assert!(why.contains("intruder"), "{why}");
    assert_eq!(loaded(&world), 97);

    let again = load_csv(&world, &rows).await;
    assert_eq!(again.body["created"], 0);
    assert!(again.body["detail"].as_str().unwrap().starts_with("nothing was loaded"));
    assert_eq!(mistakes(again).len(), 1);
}

#[tokio::test]
async fn local_times_are_of_the_theatres_clocks() {
    let world = World::with_films().await;
    let body = json!({"name": "London", "timeZone": "Europe/London"});
    world.admin("POST", "/api/admin/cities", body).await.expect(201);
    let theatre = json!({"theatreId": "odeon", "name": "Odeon", "city": "london"});
    world.admin("POST", "/api/admin/theatres", theatre).await.expect(201);
    world.admin("POST", AUDITORIUMS, studio("odeon-1", "odeon")).await.expect(201);
    let told = mistakes(
        load_csv(
            &world,
            &[
                row("summer", "odeon-1", "2027-07-01T19:00"),
                row("skipped", "odeon-1", "2027-03-28T01:30"),
                row("twice", "odeon-1", "2027-10-31T01:30"),
            ],
        )
        .await,
    );
    let named: Vec<_> = told.iter().map(|(line, show, _)| (*line, show.as_str())).collect();
    assert_eq!(named, [(3, "skipped"), (4, "twice")]);
    let rows = [
        row("summer", "odeon-1", "2027-07-01T19:00"),
        row("winter", "odeon-1", "2027-01-01T19:00"),
        row("twice", "odeon-1", "2027-10-31T01:30:00+01:00"),
    ];
    load_csv(&world, &rows).await.expect(201);
    for (show, starts_at) in [
        ("summer", "2027-07-01T18:00:00.000Z"),
        ("winter", "2027-01-01T19:00:00.000Z"),
        ("twice", "2027-10-31T00:30:00.000Z"),
    ] {
        let show = world.get(&format!("/api/shows/{show}")).await.expect(200);
        assert_eq!(show["startsAt"], starts_at);
    }
}
