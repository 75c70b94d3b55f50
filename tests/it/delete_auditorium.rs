//! `DELETE /api/admin/auditoriums/{auditoriumId}`.

use chrono::TimeDelta;
use domain::time::{Timestamp, text};
use serde_json::{Value, json};

use crate::create_auditorium::{AUDITORIUMS, one_row, studio};
use crate::create_city::tag;
use crate::create_show::at;
use crate::delete_city::what_changed_meanwhile_stays;
use crate::delete_theatre::{
    Moving, open, what_moved_meanwhile_is_counted, what_stands_nowhere_is_not_removed,
};
use crate::update_blocked_seats::one_within_the_other;
use crate::world::{Answer, World};

const STUDIO: &str = "/api/admin/auditoriums/studio";

/// A world with an auditorium in which nothing is shown.
async fn world_with_studio() -> World {
    let world = World::new().await;
    world.admin("POST", AUDITORIUMS, studio("studio", "regal")).await.expect(201);
    world
}

#[tokio::test]
async fn an_auditorium_that_was_changed_meanwhile_stays() {
    let world = world_with_studio().await;
    let (name, layouts) = (json!({"name": "The studio"}), format!("{STUDIO}/layouts"));
    for asked in [
        ("PUT", STUDIO, name),
        ("POST", layouts.as_str(), one_row(9)),
        ("DELETE", STUDIO, Value::Null),
    ] {
        what_changed_meanwhile_stays(&world, asked, ("AUDITORIUMS", "AUDITORIUM#studio")).await;
    }
}

#[tokio::test]
async fn an_auditorium_that_moved_meanwhile_is_counted_where_it_stood() {
    let world = world_with_studio().await;
    open(&world, "liberty").await;
    let moving = Moving {
        entry: ("AUDITORIUMS", "AUDITORIUM#studio"),
        within: ("theatre_id", "THEATRES"),
        from: "THEATRE#regal",
        to: "THEATRE#liberty",
    };
    what_moved_meanwhile_is_counted(&world, STUDIO, &moving).await;
}

#[tokio::test]
async fn an_auditorium_in_no_theatre_is_not_removed() {
    let world = world_with_studio().await;
    let regal = json!({"pk": {"S": "THEATRES"}, "sk": {"S": "THEATRE#regal"}});
    what_stands_nowhere_is_not_removed(&world, STUDIO, &regal).await;
}

/// Has the studio's last show, which is one that takes place, end then.
fn busy_until(world: &World, ends_at: Timestamp) {
    let millis = ends_at.timestamp_millis();
    let item = json!({
        "pk": {"S": "AUDITORIUM#studio"}, "sk": {"S": "SCHEDULE"},
        "schedule": {"S": format!("0 {millis} show-1\n")}, "ahead_until": {"S": text(ends_at)},
    });
    world.db.put(&world.tables.catalog, &item);
}

/// The sort keys of what belongs to the studio.
fn left(world: &World) -> Vec<String> {
    let items = world.items(&world.tables.catalog).into_iter();
    let of_studio = items.filter(|item| item["pk"]["S"] == "AUDITORIUM#studio");
    of_studio.map(|item| item["sk"]["S"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_removed_auditorium_is_gone_however_often_it_is_removed() {
    let world = world_with_studio().await;
    let blind = world.admin("DELETE", STUDIO, Value::Null).await;
    assert_eq!(blind.problem(428), "precondition_required");
    let stale = world.admin_at("\"2\"", "DELETE", STUDIO, Value::Null).await;
    assert_eq!(stale.problem(412), "precondition_failed");

    world.lose_a_write();
    let lost = world.admin_at("\"1\"", "DELETE", STUDIO, Value::Null).await;
    assert_eq!(lost.problem(503), "try_again");
    for _ in 0..2 {
        world.admin_at("\"1\"", "DELETE", STUDIO, Value::Null).await.expect(204);
        assert_eq!(world.admin("GET", STUDIO, Value::Null).await.problem(404), "not_found");
    }
    let theatre = world.items(&world.tables.catalog).into_iter();
    let mut theatre = theatre.filter(|item| item["sk"]["S"] == "THEATRE#regal");
    assert_eq!(theatre.next().unwrap()["children_count"], json!({"N": "2"}), "as before");
}

/// Goal: nobody buys seats in a room that is gone. Method: the instant at which its last show ends.
#[tokio::test]
async fn an_auditorium_with_shows_ahead_is_in_use_until_the_last_one_ends() {
    let world = world_with_studio().await;
    let ends_at = world.now() + TimeDelta::hours(3);
    busy_until(&world, ends_at);
    for now in [world.now(), ends_at - TimeDelta::milliseconds(1)] {
        world.set_now(now);
        let in_use = world.admin_at("\"1\"", "DELETE", STUDIO, Value::Null).await;
        assert_eq!(in_use.problem(409), "in_use", "{now}");
    }
    world.admin("GET", STUDIO, Value::Null).await.expect(200);
    world.set_now(ends_at);
    world.admin_at("\"1\"", "DELETE", STUDIO, Value::Null).await.expect(204);
    assert_eq!(left(&world), ["LAYOUT#00000001"], "what was sold under it stays known");
}

/// Plans a show in the studio.
async fn plan(world: &World, id: &str, starts_at: &str) -> Answer {
    let mut show = at(id, starts_at);
    show["auditoriumId"] = json!("studio");
    world.create(show).await
}

async fn call_off(world: &World, show: &str) {
    let path = format!("/api/admin/shows/{show}/cancel");
    world.admin("POST", &path, Value::Null).await.expect(202);
}

async fn delete(world: &World) -> Answer {
    world.admin_at("*", "DELETE", STUDIO, Value::Null).await
}

/// A world with films, and a studio with two shows ahead of which the first was cancelled.
async fn world_with_one_show_off() -> World {
    let world = World::with_films().await;
    world.admin("POST", AUDITORIUMS, studio("studio", "regal")).await.expect(201);
    plan(&world, "one", "2026-11-25T19:00").await.expect(201);
    plan(&world, "two", "2026-11-26T19:00").await.expect(201);
    call_off(&world, "one").await;
    world
}

/// Goal: what does not take place keeps no room. Method: two shows are cancelled one after another; then
/// the function dies at each of its calls in turn, and is asked again.
#[tokio::test]
async fn cancelled_shows_do_not_keep_their_auditorium() {
    for calls in 0.. {
        let world = world_with_one_show_off().await;
        assert_eq!(delete(&world).await.problem(409), "in_use", "the other one takes place");
        assert_eq!(left(&world).len(), 2, "its schedule stays");
        call_off(&world, "two").await;
        let alive = world.wire.kill_after(calls, async { drop(delete(&world).await) }).await;
        delete(&world.cold()).await.expect(204);
        assert_eq!(left(&world), ["LAYOUT#00000001"], "killed after {calls} calls");
        if alive {
            break;
        }
    }
}

/// Goal: no show is without its room. Method: at each call of the one who removes a room whose shows were
/// cancelled, somebody else plans there.
#[tokio::test]
async fn of_a_removal_and_a_new_show_at_once_one_is_refused() {
    for calls in 0..10 {
        let world = world_with_one_show_off().await;
        call_off(&world, "two").await;
        let (cold, removal) = (world.cold(), delete(&world));
        let planned = plan(&cold, "three", "2026-11-27T19:00");
        let (removed, planned) = one_within_the_other(&world, calls, removal, planned).await;
        let both = (removed.status, planned.status);
        assert!([(204, 422), (409, 201)].contains(&both), "{both:?} after {calls} calls");
        let has_schedule = left(&world).contains(&"SCHEDULE".to_owned());
        assert_eq!(has_schedule, planned.status == 201, "{calls} calls");
    }
}

/// Goal: a layout never changes, not even when its auditorium is made again. Method: an auditorium
/// with two layouts is removed and comes back with a third.
#[tokio::test]
async fn an_auditorium_that_comes_back_leaves_its_old_layouts_alone() {
    let world = world_with_studio().await;
    let layouts = format!("{STUDIO}/layouts");
    world.admin_at("\"1\"", "POST", &layouts, one_row(9)).await.expect(201);
    world.admin_at("\"2\"", "DELETE", STUDIO, Value::Null).await.expect(204);

    let mut body = studio("studio", "regal");
    body["layout"] = one_row(10);
    for _ in 0..2 {
        let made = world.admin("POST", AUDITORIUMS, body.clone()).await;
        assert_eq!((tag(&made), &made.body["layoutVersion"]), ("\"1\"", &json!(3)));
        made.expect(201);
    }
    for (version, seats) in [(1, 8), (2, 9), (3, 10)] {
        let layout = world.admin("GET", &format!("{layouts}/{version}"), Value::Null).await;
        assert_eq!(layout.expect(200)["layout"], one_row(seats), "version {version}");
    }
    let next = world.admin_at("\"1\"", "POST", &layouts, one_row(11)).await.expect(201);
    assert_eq!(next["layoutVersion"], 4);
}
