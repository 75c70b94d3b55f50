//! Payments that nobody tells of, and refunds that did not work: the schedule.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::books::{balance, text};
use crate::cinema::REGULAR;
use crate::wire::Fault;
use crate::world::World;

/// A payment that was made by checkout, paid, and never told of.
async fn untold(world: &World, outcome: &str) -> String {
    world.hold("ann", &["A1"], "t1").await.expect(201);
    let checkout = world.checkout("ann", "t1").await.expect(200);
    let payment = checkout["paymentReference"].as_str().unwrap().to_owned();
    if outcome != "stay_pending" {
        world.payer_pays(&payment, outcome).await;
    }
    world.take_deliveries();
    payment
}

fn asked(world: &World) -> Value {
    world.last_line()["payments_reconciled"].clone()
}

#[tokio::test]
async fn a_payment_that_nobody_tells_of_is_asked_for_after_a_quarter_of_an_hour() {
    let world = World::new().await;
    untold(&world, "succeed").await;
    world.advance(TimeDelta::minutes(15) - TimeDelta::milliseconds(1));
    world.reconcile().await.unwrap();
    assert_eq!(asked(&world), 0, "its webhook may still come");
    world.advance(TimeDelta::milliseconds(1));
    world.reconcile().await.unwrap();
    assert_eq!(asked(&world), 1);
    assert_eq!(balance(&world, REGULAR).confirmed, REGULAR, "late, and the seat was free");
    world.reconcile().await.unwrap();
    assert_eq!(asked(&world), 0, "and never again");
}

#[tokio::test]
async fn a_payment_that_failed_is_written_down() {
    let world = World::new().await;
    untold(&world, "fail").await;
    world.advance(TimeDelta::minutes(15));
    world.reconcile().await.unwrap();
    assert_eq!(world.payments(), [("FAILED".to_owned(), None)]);
    balance(&world, 0);
}

/// Goal: who is declined and tries another card later is not forgotten, told of or not.
#[tokio::test]
async fn a_failed_payment_that_is_paid_after_all_is_found() {
    let world = World::new().await;
    let payment = untold(&world, "fail").await;
    assert_eq!(world.confirm("ann", "t1", &payment).await.problem(402), "payment_failed");
    world.payer_pays(&payment, "succeed").await;
    world.take_deliveries();
    world.advance(TimeDelta::minutes(15));
    world.reconcile().await.unwrap();
    assert_eq!(balance(&world, REGULAR).confirmed, REGULAR);
}

/// Goal: an abandoned payment costs some questions and no more. Method: eight days of runs.
#[tokio::test]
async fn an_abandoned_payment_is_given_up_after_a_week() {
    let world = World::new().await;
    untold(&world, "stay_pending").await;
    let mut questions = 0;
    for _ in 0..8 * 8 {
        world.advance(TimeDelta::hours(3));
        world.reconcile().await.unwrap();
        questions += asked(&world).as_u64().unwrap();
    }
    assert!((10..=16).contains(&questions), "{questions} questions");
    let payments = world.items(&world.tables.payments);
    assert_eq!(text(&payments[0], "payment_status"), "FAILED");
    assert_eq!(text(&payments[0], "check_at"), "", "nobody comes back to it");

    world.payer_pays(&world.references()[0], "succeed").await;
    world.rest().await;
    assert_eq!(balance(&world, REGULAR).refunded, REGULAR, "but its webhook is heard");
}

#[tokio::test]
async fn a_refund_that_failed_is_tried_again_after_an_hour() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    let payment = booked["payment"]["reference"].as_str().unwrap();
    world.change(payment, &json!({"failRefunds": true})).await;
    world.cancel("ann", booked["reservationId"].as_str().unwrap()).await.expect(200);
    world.rest().await;
    world.change(payment, &json!({"failRefunds": false})).await;
    world.advance(TimeDelta::minutes(59));
    world.reconcile().await.unwrap();
    assert_eq!(balance(&world, REGULAR).refund_due, REGULAR);
    world.advance(TimeDelta::minutes(1));
    world.reconcile().await.unwrap();
    assert_eq!(balance(&world, REGULAR).refunded, REGULAR);
    let refunds = world.at_provider(payment).await["refunds"].clone();
    let statuses: Vec<&str> =
        refunds.as_array().unwrap().iter().map(|of| of["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["failed", "succeeded"]);
}

/// Goal: a provider that is away delays, and loses nothing; and one payment that always fails does
/// not stand in the way of the others.
#[tokio::test(start_paused = true)]
async fn a_provider_that_is_away_is_asked_again_later() {
    let world = World::new().await;
    untold(&world, "succeed").await;
    world.advance(TimeDelta::minutes(16));
    let away = world.with_provider_at("http://127.0.0.1:9");
    assert!(away.reconcile().await.is_err(), "the run says that it failed");
    assert_eq!(world.payments(), [("PENDING".to_owned(), None)]);
    world.reconcile().await.unwrap();
    assert_eq!(asked(&world), 0, "it was put off");
    world.advance(TimeDelta::hours(1));
    world.reconcile().await.unwrap();
    assert_eq!(balance(&world, REGULAR).confirmed, REGULAR);
}

/// Goal: more than one page of every shard is looked after in one run.
#[tokio::test]
async fn a_run_goes_on_until_nothing_is_due() {
    let world = World::new().await;
    let mut count = 0;
    for row in ["A", "B", "C"] {
        for number in 1..=12 {
            let seat = format!("{row}{number}");
            world.hold(&seat, &[&seat], "t").await.expect(201);
            let checkout = world.checkout(&seat, "t").await.expect(200);
            let payment = checkout["paymentReference"].as_str().unwrap();
            world.payer_pays(payment, "succeed").await;
            count += 1;
        }
    }
    world.take_deliveries();
    world.advance(TimeDelta::minutes(16));
    world.reconcile().await.unwrap();
    assert_eq!(asked(&world), count);
    assert_eq!(balance(&world, 24 * REGULAR + 12 * 60_000).refund_due, 0);
}

/// Goal: nothing is lost if a run dies anywhere. Method: its writes are lost, one after the other.
#[tokio::test(start_paused = true)]
async fn a_run_that_dies_is_made_good_by_the_next() {
    let world = World::new().await;
    untold(&world, "succeed").await;
    world.advance(TimeDelta::minutes(16));
    world.wire.inject("TransactWriteItems", Fault::Down, 3);
    assert!(world.reconcile().await.is_err());
    world.advance(TimeDelta::hours(1));
    world.reconcile().await.unwrap();
    assert_eq!(balance(&world, REGULAR).confirmed, REGULAR);
}

/// Goal: two runs beside each other, or one beside a settlement, put nothing off that is not theirs.
/// Method: the second look has the payment as it was before the first.
#[tokio::test]
async fn a_look_that_comes_second_changes_nothing() {
    let world = World::new().await;
    let reference = untold(&world, "succeed").await.parse().unwrap();
    let provider = "sandbox".parse().unwrap();
    let before = world.store.payment(&provider, &reference).await.unwrap().unwrap();
    world.advance(TimeDelta::minutes(16));
    let check_at = || text(&world.items(&world.tables.payments)[0], "check_at").to_owned();
    world.store.check_later(&before, true, world.now()).await.unwrap();
    let first = check_at();
    world.advance(TimeDelta::minutes(1));
    world.store.check_later(&before, true, world.now()).await.unwrap();
    assert_eq!(check_at(), first, "somebody else looked");

    // Now it is owed back, and overdue.
    let id = before.reservation_id.unwrap();
    world.cancel("ann", id.as_str()).await.problem(409);
    world.hold("bob", &["A1"], "t1").await.expect(201);
    world.change(reference.as_str(), &json!({"failRefunds": true})).await;
    world.confirm("ann", "t1", reference.as_str()).await.expect(409);
    world.advance(TimeDelta::hours(2));
    let due = check_at();
    let pending = world.store.payment(&provider, &reference).await.unwrap().unwrap();
    let pending = domain::payment::Payment { status: domain::payment::Status::Pending, ..pending };
    world.store.check_later(&pending, true, world.now()).await.unwrap();
    assert_eq!(check_at(), due, "it is another thing to look at");
}

/// Goal: nothing is given up that nobody could see. Method: the provider is away when a payment's week
/// is over, and then it turns out to be paid.
#[tokio::test(start_paused = true)]
async fn a_payment_is_not_given_up_while_its_provider_is_away() {
    let world = World::new().await;
    untold(&world, "succeed").await;
    world.advance(TimeDelta::days(8));
    let away = world.with_provider_at("http://127.0.0.1:9");
    assert!(away.reconcile().await.is_err());
    let payments = world.items(&world.tables.payments);
    assert_eq!(text(&payments[0], "payment_status"), "PENDING");
    world.advance(TimeDelta::days(1));
    world.reconcile().await.unwrap();
    assert_eq!(asked(&world), 1);
    world.refund().await;
    assert_eq!(balance(&world, REGULAR).refunded, REGULAR, "the show is long over");
}
