//! `PUT /api/admin/shows/{showId}/prices`.

use serde_json::{Value, json};

use crate::cinema::REGULAR;
use crate::create_city::tag;
use crate::create_show::draft;
use crate::world::{Answer, World};

const PRICES: &str = "/api/admin/shows/show-1/prices";

fn inr(regular: u64, premium: u64) -> Value {
    let price = |amount: u64| json!({"amount": amount, "currency": "INR"});
    json!({"prices": {"REGULAR": price(regular), "PREMIUM": price(premium)}})
}

async fn put(world: &World, at: &str, prices: Value) -> Answer {
    world.admin_at(at, "PUT", PRICES, prices).await
}

#[tokio::test]
async fn a_hold_keeps_its_price_and_the_next_one_pays_the_new() {
    let world = World::new().await;
    let before = world.hold("ann", &["A1"], "t1").await.expect(201);
    let changed = put(&world, "\"1\"", inr(50_000, 70_000)).await;
    assert_eq!(tag(&changed), "\"2\"");
    let price = json!({"amount": 50_000, "currency": "INR"});
    assert_eq!(changed.expect(200)["prices"]["REGULAR"], price);
    assert_eq!(before["amount"]["amount"], REGULAR);
    let payment = world.pay(&before, "succeed").await;
    let booked = world.confirm("ann", "t1", &payment).await.expect(200);
    assert_eq!(booked["amount"]["amount"], REGULAR);
    let after = world.hold("bob", &["A2"], "t2").await.expect(201);
    assert_eq!(after["amount"], price);
}

#[tokio::test(start_paused = true)]
async fn prices_are_changed_once_by_who_knows_them() {
    let world = World::new().await;
    let blind = world.admin("PUT", PRICES, inr(1, 2)).await;
    assert_eq!(blind.problem(428), "precondition_required");
    assert_eq!(put(&world, "\"7\"", inr(1, 2)).await.problem(412), "precondition_failed");
    world.lose_a_write();
    assert_eq!(put(&world, "\"1\"", inr(1, 2)).await.problem(503), "try_again");
    let again = put(&world, "\"1\"", inr(1, 2)).await;
    assert_eq!(tag(&again), "\"2\"", "only its answer was lost");
    assert_eq!(put(&world, "\"1\"", inr(3, 4)).await.problem(412), "precondition_failed");
    let (one, two) = tokio::join!(put(&world, "\"2\"", inr(5, 6)), put(&world, "\"2\"", inr(7, 8)));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}

#[tokio::test]
async fn what_was_on_sale_keeps_its_currency_and_a_price() {
    let world = World::with_films().await;
    let one = |seat_type: &str, currency: &str| json!({"prices": {seat_type: {"amount": 1, "currency": currency}}});
    for prices in [one("REGULAR", "INR"), one("SOFA", "INR"), json!({"prices": {}})] {
        assert_eq!(put(&world, "*", prices.clone()).await.problem(422), "invalid_show", "{prices}");
    }
    let mut euros = inr(1, 2);
    for seat_type in ["REGULAR", "PREMIUM"] {
        euros["prices"][seat_type]["currency"] = json!("EUR");
    }
    assert_eq!(put(&world, "*", euros.clone()).await.problem(422), "invalid_show");

    let announced = draft("new", |draft| draft["status"] = json!("SCHEDULED"));
    world.create(announced).await.expect(201);
    let path = "/api/admin/shows/new/prices";
    let abroad = world.admin_at("\"1\"", "PUT", path, euros).await.expect(200);
    assert_eq!(abroad["prices"]["PREMIUM"], json!({"amount": 2, "currency": "EUR"}));
    let fewer = world.admin_at("\"2\"", "PUT", path, one("PREMIUM", "INR")).await.expect(200);
    assert_eq!(fewer["prices"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_off_or_not_there_has_no_prices_to_change() {
    let world = World::new().await;
    let cancelled = "/api/admin/shows/cancelled/prices";
    let refused = world.admin_at("*", "PUT", cancelled, inr(1, 2)).await;
    assert_eq!(refused.problem(409), "show_cancelled");
    let nowhere = world.admin_at("*", "PUT", "/api/admin/shows/nowhere/prices", inr(1, 2)).await;
    assert_eq!(nowhere.problem(404), "not_found");
    let mut more = inr(1, 2);
    more["prices"]["REGULAR"]["discount"] = json!(1);
    for body in [json!({}), json!({"prices": {"REGULAR": 1}}), json!([]), more] {
        assert_eq!(put(&world, "*", body).await.problem(400), "invalid_request");
    }
}
