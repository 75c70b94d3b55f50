//! `GET /api/admin/shows/{showId}/sales`.

use chrono::TimeDelta;
use domain::time::text;
use serde_json::{Value, json};

use crate::cinema::{REGULAR, movie};
use crate::world::{HOLD_SECS, World};

const SALES: &str = "/api/admin/shows/show-1/sales";
const PREMIUM: u64 = 60_000;

async fn sales(world: &World) -> Value {
    world.admin("GET", SALES, Value::Null).await.expect(200)
}

fn inr(amount: u64) -> Value {
    json!({"amount": amount, "currency": "INR"})
}

/// One of the two types of seats: how many can be had, are held, booked and blocked, and the revenue.
fn seats(seat_type: &str, numbers: [u64; 5], revenue: u64) -> Value {
    let [total, available, held, booked, blocked] = numbers;
    json!({
        "seatType": seat_type, "total": total, "available": available, "held": held,
        "booked": booked, "blocked": blocked, "revenue": inr(revenue),
    })
}

#[tokio::test]
async fn nothing_is_sold_at_first() {
    let world = World::new().await;
    let expected = json!({
        "showId": "show-1",
        "asOf": text(world.now()),
        "seats": [
            seats("PREMIUM", [12, 12, 0, 0, 0], 0),
            seats("REGULAR", [24, 24, 0, 0, 0], 0),
        ],
        "revenue": inr(0),
        "refunds": {"due": inr(0), "done": inr(0)},
    });
    assert_eq!(sales(&world).await, expected);
}

/// Goal: the numbers are those that one counts by hand. Method: one of everything.
#[tokio::test]
async fn seats_and_money_are_counted_by_state_and_type() {
    let world = World::new().await;
    world.book("ann", &["A1", "A2"], "t1").await;
    world.book("bob", &["B1", "C1", "C2"], "t2").await;
    world.hold("cat", &["B3"], "t3").await.expect(201);
    let blocked = json!({
        "pk": {"S": "SHOW#show-1#MAIN"}, "sk": {"S": "SEAT#C12"}, "seat_status": {"S": "BLOCKED"},
    });
    world.db.put(&world.tables.seats, &blocked);
    let given_up = world.book("dan", &["B5"], "t4").await;
    world.cancel("dan", given_up["reservationId"].as_str().unwrap()).await.expect(200);
    world.refund().await;
    let owed = world.book("eve", &["C5"], "t5").await;
    world.cancel("eve", owed["reservationId"].as_str().unwrap()).await.expect(200);
    // Of another show, and so not of this one.
    world.hold_of("fay", "show-2", &["A1"], "t6").await.expect(201);

    let told = sales(&world).await;
    let by_type = json!([
        seats("PREMIUM", [12, 9, 0, 2, 1], 2 * PREMIUM),
        seats("REGULAR", [24, 20, 1, 3, 0], 3 * REGULAR),
    ]);
    assert_eq!(told["seats"], by_type);
    assert_eq!(told["revenue"], inr(2 * PREMIUM + 3 * REGULAR));
    assert_eq!(told["refunds"], json!({"due": inr(PREMIUM), "done": inr(REGULAR)}));

    world.refund().await;
    world.advance(TimeDelta::seconds(HOLD_SECS));
    let told = sales(&world).await;
    assert_eq!(
        told["seats"][1],
        seats("REGULAR", [24, 21, 0, 3, 0], 3 * REGULAR),
        "a hold is over"
    );
    assert_eq!(told["refunds"], json!({"due": inr(0), "done": inr(PREMIUM + REGULAR)}));
}

#[tokio::test]
async fn revenue_is_what_was_paid_whatever_seats_cost_by_now() {
    let world = World::new().await;
    world.book("ann", &["A1", "C1"], "t1").await;
    world
        .put_show(&movie("inception", "Inception"), |show| {
            let dearer = [("REGULAR".parse().unwrap(), 99_000)];
            let list = domain::show::PriceList::new("INR".parse().unwrap(), dearer.into());
            show.prices = list.unwrap();
        })
        .await;
    let told = sales(&world.cold()).await;
    let by_type = json!([
        seats("PREMIUM", [12, 0, 0, 1, 0], PREMIUM),
        seats("REGULAR", [24, 23, 0, 1, 0], REGULAR),
    ]);
    assert_eq!(told["seats"], by_type, "PREMIUM is sold no more, and one of it was");
    assert_eq!(told["revenue"], inr(PREMIUM + REGULAR));
}

#[tokio::test]
async fn a_second_payment_is_no_revenue_and_goes_back() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    let second = world.pay(&booked, "succeed").await;
    assert_eq!(world.confirm("ann", "t1", &second).await.problem(409), "already_confirmed");
    let told = sales(&world).await;
    assert_eq!(told["revenue"], inr(REGULAR));
    assert_eq!(told["refunds"], json!({"due": inr(REGULAR), "done": inr(0)}));
    world.pay_amount(&booked, &json!(7), &json!("USD"), "succeed").await;
    world.rest().await;
    let told = sales(&world).await;
    let refunds = json!({"due": inr(0), "done": inr(REGULAR)});
    assert_eq!(told["refunds"], refunds, "what was paid in another currency is not in it");
}

#[tokio::test]
async fn a_cancelled_show_has_sold_nothing() {
    let world = World::new().await;
    world.book("ann", &["A1", "A2"], "t1").await;
    let path = "/api/admin/shows/show-1/cancel";
    world.admin("POST", path, Value::Null).await.expect(202);
    world.sweep().await;
    world.rest().await;
    let told = sales(&world).await;
    assert_eq!(told["revenue"], inr(0));
    assert_eq!(told["refunds"], json!({"due": inr(0), "done": inr(2 * REGULAR)}));
    assert_eq!(told["seats"][1], seats("REGULAR", [24, 24, 0, 0, 0], 0));
}

#[tokio::test]
async fn only_admins_see_sales_and_only_of_what_there_is() {
    let world = World::new().await;
    assert_eq!(world.call("ann", "GET", SALES, Value::Null).await.problem(403), "forbidden");
    assert_eq!(world.raw("GET", SALES, &[], "").await.problem(401), "unauthenticated");
    let nowhere = "/api/admin/shows/nowhere/sales";
    assert_eq!(world.admin("GET", nowhere, Value::Null).await.problem(404), "not_found");
}
