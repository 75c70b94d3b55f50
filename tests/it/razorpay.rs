//! Razorpay, from the order to the refund: its API as it is documented ([`fake`]), behind the
//! functions.

use chrono::TimeDelta;
use serde_json::{Value, json};

use self::fake::Razorpay;
use crate::books::{self, Money, text};
use crate::cinema::REGULAR;
use crate::receive_payment_webhook::hex_hmac;
use crate::world::{WEBHOOK_SECRETS, World};

mod fake;

/// The keys that a world has.
const KEYS: (&str, &str) = ("key_public", "sk_test_secret");

/// A world that uses a Razorpay of its own.
async fn open() -> (World, Razorpay) {
    let razorpay = Razorpay::default();
    let url = razorpay.serve(KEYS.0, KEYS.1).await;
    (World::new().await.with_provider("razorpay", &url), razorpay)
}

/// Holds a seat and makes its order: the reservation's id, and the order's.
async fn check_out(world: &World, user: &str, seat: &str) -> (String, String) {
    let held = world.hold(user, &[seat], "t1").await.expect(201);
    let checkout = world.checkout(user, "t1").await.expect(200);
    let id = |of: &Value, name: &str| of[name].as_str().unwrap().to_owned();
    (id(&held, "reservationId"), id(&checkout, "orderId"))
}

/// Ann books A1: the reservation's id, and the payment's.
async fn book(world: &World, razorpay: &Razorpay) -> (String, String) {
    let (reservation, order) = check_out(world, "ann", "A1").await;
    let payment = razorpay.books().pay(&order, "captured", &json!([]));
    world.confirm("ann", "t1", &payment).await.expect(200);
    (reservation, payment)
}

/// A reservation as its user sees it: its status, and its payment's status and reference.
async fn shown(world: &World, user: &str, reservation: &str) -> (String, String, String) {
    let path = format!("/api/reservations/{reservation}");
    let shown = world.call(user, "GET", &path, json!(null)).await.expect(200);
    let text = |of: &Value| of.as_str().unwrap().to_owned();
    let payment = &shown["payment"];
    (text(&shown["status"]), text(&payment["status"]), text(&payment["reference"]))
}

fn words(status: &str, payment: &str, reference: &str) -> (String, String, String) {
    (status.to_owned(), payment.to_owned(), reference.to_owned())
}

/// What is stored of a payment or an order.
#[track_caller]
fn item(world: &World, reference: &str) -> Value {
    let key = format!("PAYMENT#razorpay#{reference}");
    let mut items = world.items(&world.tables.payments).into_iter();
    items.find(|item| text(item, "pk") == key).unwrap_or_else(|| panic!("no {reference}"))
}

#[track_caller]
fn assert_status(world: &World, reference: &str, expected: &str) {
    assert_eq!(text(&item(world, reference), "payment_status"), expected, "{reference}");
}

/// The refunds at Razorpay: how much, and how they stand.
fn refunds(razorpay: &Razorpay) -> Vec<(u64, String)> {
    let refund =
        |of: &Value| (of["amount"].as_u64().unwrap(), of["status"].as_str().unwrap().to_owned());
    razorpay.books().every("refund").iter().map(refund).collect()
}

/// Razorpay tells how a payment or its refund stands now, and it is settled.
async fn tell(world: &World, razorpay: &Razorpay, kind: &str, payment: &str) {
    let body = razorpay.books().event(kind, payment);
    let signature = hex_hmac(WEBHOOK_SECRETS[3].1, &body);
    let headers = [("x-razorpay-signature", signature.as_str())];
    let told = world.webhook("razorpay", &headers, &body).await.expect(200);
    let is_news = kind != "refund.created";
    assert_eq!(told, json!({"event": kind, "queued": is_news}));
    world.process().await;
}

#[tokio::test]
async fn a_checkout_makes_one_order_for_exactly_what_is_held() {
    let (world, razorpay) = open().await;
    let held = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    let first = world.checkout("ann", "t1").await.expect(200);
    let orders = razorpay.books().every("order");
    let [order] = orders.as_slice() else { panic!("not one order: {orders:?}") };
    assert_eq!((&order["amount"], &order["currency"]), (&json!(2 * REGULAR), &json!("INR")));
    assert_eq!(order["receipt"], held["reservationId"]);
    assert_eq!(order["notes"], json!({"reservation_id": held["reservationId"]}));
    assert_eq!(order["payment"]["capture"], "automatic");

    assert_eq!((&first["provider"], &first["amount"]), (&json!("razorpay"), &held["amount"]));
    assert_eq!((&first["orderId"], &first["paymentReference"]), (&order["id"], &order["id"]));
    assert_eq!(first["keyId"], KEYS.0);
    assert_status(&world, order["id"].as_str().unwrap(), "PENDING");

    assert_eq!(world.checkout("ann", "t1").await.expect(200), first, "as the first time");
    assert_eq!(razorpay.books().every("order").len(), 1);
    assert_eq!(world.payments().len(), 1);
}

#[tokio::test]
async fn the_api_key_stays_between_razorpay_and_us() {
    let (world, _razorpay) = open().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    let answer = world.checkout("ann", "t1").await;
    let seen = format!("{answer:?} {}", world.last_line());
    assert!(seen.contains(KEYS.0), "the public half is for the browser");
    assert!(!seen.contains(KEYS.1), "{seen}");
}

#[tokio::test]
async fn a_paid_order_books_by_either_name_as_the_payment() {
    let (world, razorpay) = open().await;
    for (user, seat, by_order) in [("ann", "A1", false), ("bob", "A2", true)] {
        let (reservation, order) = check_out(&world, user, seat).await;
        let payment = razorpay.books().pay(&order, "captured", &json!([]));
        let name = if by_order { &order } else { &payment };
        let booked = world.confirm(user, "t1", name).await.expect(200);
        assert_eq!(booked["status"], "CONFIRMED");
        assert_eq!(booked["payment"], json!({"status": "SUCCESS", "reference": payment}));
        assert_eq!(world.confirm(user, "t1", name).await.expect(200), booked, "once is enough");
        let expected = words("CONFIRMED", "SUCCESS", &payment);
        assert_eq!(shown(&world, user, &reservation).await, expected);
        assert_eq!(world.seat(seat).await, "BOOKED");
        assert_status(&world, &payment, "SUCCESS");
    }
    books::balance(&world, 2 * REGULAR);
}

#[tokio::test]
async fn a_cancelled_booking_is_refunded_once() {
    let (world, razorpay) = open().await;
    let (reservation, payment) = book(&world, &razorpay).await;
    world.cancel("ann", &reservation).await.expect(200);
    let owed = words("CANCELLED", "REFUND_DUE", &payment);
    assert_eq!(shown(&world, "ann", &reservation).await, owed);
    assert_eq!(refunds(&razorpay), [], "the stream refunds, not the request");

    world.refund().await;
    let back = words("CANCELLED", "REFUNDED", &payment);
    assert_eq!(shown(&world, "ann", &reservation).await, back);
    world.refund().await;
    tell(&world, &razorpay, "refund.processed", &payment).await;
    world.advance(TimeDelta::hours(2));
    world.reconcile().await.unwrap();
    let made = razorpay.books().every("refund");
    assert_eq!(refunds(&razorpay), [(REGULAR, "processed".to_owned())]);
    assert_eq!(made[0]["notes"], json!({"reservation_id": reservation}));
    assert_eq!(shown(&world, "ann", &reservation).await, back);
    let money = books::balance(&world, REGULAR);
    assert_eq!(money, Money { refunded: REGULAR, ..Money::default() });
}

#[tokio::test]
async fn an_authorised_payment_is_waited_for_and_books_when_it_is_captured() {
    let (world, razorpay) = open().await;
    let (reservation, order) = check_out(&world, "ann", "A1").await;
    let ours = json!({"reservation_id": reservation});
    let payment = razorpay.books().pay(&order, "authorized", &ours);
    for name in [&payment, &order] {
        let waiting = world.confirm("ann", "t1", name).await.expect(202);
        assert_eq!(
            (&waiting["status"], &waiting["payment"]["status"]),
            (&json!("PENDING"), &json!("PENDING"))
        );
    }
    tell(&world, &razorpay, "payment.authorized", &payment).await;
    assert_eq!(world.seat("A1").await, "HELD");
    assert_status(&world, &payment, "PENDING");
    books::balance(&world, 0);

    razorpay.books().capture(&payment);
    tell(&world, &razorpay, "payment.captured", &payment).await;
    let booked = words("CONFIRMED", "SUCCESS", &payment);
    assert_eq!(shown(&world, "ann", &reservation).await, booked);
    assert_eq!(world.seat("A1").await, "BOOKED");
    books::balance(&world, REGULAR);
}

#[tokio::test]
async fn a_failed_try_leaves_the_order_for_another_card() {
    let (world, razorpay) = open().await;
    let (reservation, order) = check_out(&world, "ann", "A1").await;
    let failed = razorpay.books().pay(&order, "failed", &json!([]));
    assert_eq!(world.confirm("ann", "t1", &failed).await.problem(402), "payment_failed");
    tell(&world, &razorpay, "payment.failed", &failed).await;
    assert_status(&world, &failed, "FAILED");
    let again = world.checkout("ann", "t1").await.expect(200);
    assert_eq!(again["orderId"], order, "an order takes any number of tries");

    let payment = razorpay.books().pay(&order, "captured", &json!([]));
    world.confirm("ann", "t1", &order).await.expect(200);
    let booked = words("CONFIRMED", "SUCCESS", &payment);
    assert_eq!(shown(&world, "ann", &reservation).await, booked);
    books::balance(&world, REGULAR);
}

/// Razorpay does not promise to copy an order's notes to its payments.
#[tokio::test]
async fn a_webhook_alone_books_though_its_payment_names_nothing() {
    let (world, razorpay) = open().await;
    let (reservation, order) = check_out(&world, "ann", "A1").await;
    let payment = razorpay.books().pay(&order, "captured", &json!([]));
    for _told_twice in 0..2 {
        tell(&world, &razorpay, "payment.captured", &payment).await;
        let booked = words("CONFIRMED", "SUCCESS", &payment);
        assert_eq!(shown(&world, "ann", &reservation).await, booked);
        assert_eq!(world.seat("A1").await, "BOOKED");
    }
    let money = books::balance(&world, REGULAR);
    assert_eq!(money, Money { confirmed: REGULAR, ..Money::default() });
}

#[tokio::test]
async fn what_razorpay_did_not_sign_changes_nothing() {
    let (world, razorpay) = open().await;
    let (reservation, order) = check_out(&world, "ann", "A1").await;
    let payment = razorpay.books().pay(&order, "authorized", &json!([]));
    let honest = razorpay.books().event("payment.authorized", &payment);
    let forged = honest.replace("authorized", "captured");
    let secret = WEBHOOK_SECRETS[3].1;
    let stripes = hex_hmac(WEBHOOK_SECRETS[1].1, &forged);
    for signature in [hex_hmac(secret, &honest), stripes, String::new(), "no hex".to_owned()] {
        let headers = [("x-razorpay-signature", signature.as_str())];
        let refused = world.webhook("razorpay", &headers, &forged).await;
        assert_eq!(refused.problem(400), "invalid_signature", "{signature}");
    }
    let refused = world.webhook("razorpay", &[], &forged).await;
    assert_eq!(refused.problem(400), "invalid_signature");
    assert_eq!(world.queues.depth("PaymentEvents"), 0);
    assert_eq!(shown(&world, "ann", &reservation).await, words("PENDING", "PENDING", &order));
}

#[tokio::test]
async fn money_that_nobody_tells_of_books_late_if_the_seats_are_free() {
    let (world, razorpay) = open().await;
    let (reservation, order) = check_out(&world, "ann", "A1").await;
    let payment = razorpay.books().pay(&order, "captured", &json!([]));
    world.advance(TimeDelta::minutes(14));
    world.reconcile().await.unwrap();
    assert_eq!(shown(&world, "ann", &reservation).await, words("PENDING", "PENDING", &order));

    world.advance(TimeDelta::minutes(2));
    world.reconcile().await.unwrap();
    assert_eq!(world.last_line()["payments_late"], 1);
    let booked = words("CONFIRMED", "SUCCESS", &payment);
    assert_eq!(shown(&world, "ann", &reservation).await, booked);
    assert_eq!(world.seat("A1").await, "BOOKED");
    assert_status(&world, &order, "FAILED");
    assert_status(&world, &payment, "SUCCESS");
    let money = books::balance(&world, REGULAR);
    assert_eq!(money, Money { confirmed: REGULAR, ..Money::default() });
}

#[tokio::test]
async fn money_that_nobody_tells_of_goes_back_if_a_seat_is_gone() {
    let (world, razorpay) = open().await;
    let (reservation, order) = check_out(&world, "ann", "A1").await;
    let payment = razorpay.books().pay(&order, "captured", &json!([]));
    world.advance(TimeDelta::minutes(16));
    world.hold("bob", &["A1"], "t1").await.expect(201);
    world.reconcile().await.unwrap();
    assert_eq!(shown(&world, "ann", &reservation).await, words("FAILED", "REFUND_DUE", &payment));
    world.refund().await;
    assert_eq!(shown(&world, "ann", &reservation).await, words("FAILED", "REFUNDED", &payment));
    assert_status(&world, &order, "FAILED");
    assert_eq!(refunds(&razorpay), [(REGULAR, "processed".to_owned())]);
    let money = books::balance(&world, REGULAR);
    assert_eq!(money, Money { refunded: REGULAR, ..Money::default() });
}

/// Goal: an order is not asked for without end. Its money came under the payment's name.
#[tokio::test]
async fn an_order_that_was_paid_is_given_up_after_a_day() {
    let (world, razorpay) = open().await;
    let (_reservation, order) = check_out(&world, "ann", "A1").await;
    let payment = razorpay.books().pay(&order, "captured", &json!([]));
    world.confirm("ann", "t1", &payment).await.expect(200);
    assert!(item(&world, &order).get("check_at").is_some(), "it may yet be paid");
    for _half_a_day in 0..4 {
        world.advance(TimeDelta::hours(12));
        world.reconcile().await.unwrap();
    }
    assert_status(&world, &order, "FAILED");
    assert_eq!(item(&world, &order).get("check_at"), None);
    books::balance(&world, REGULAR);
}

/// Razorpay sends the second payment of an order back without capturing it.
#[tokio::test]
async fn a_second_payment_of_an_order_was_never_ours() {
    let (world, razorpay) = open().await;
    let (reservation, order) = check_out(&world, "ann", "A1").await;
    let first = razorpay.books().pay(&order, "captured", &json!([]));
    let second = razorpay.books().pay(&order, "captured", &json!([]));
    world.confirm("ann", "t1", &order).await.expect(200);
    let refused = world.confirm("ann", "t1", &second).await;
    assert_eq!(refused.problem(409), "already_confirmed");
    tell(&world, &razorpay, "refund.processed", &second).await;
    world.refund().await;
    let booked = words("CONFIRMED", "SUCCESS", &first);
    assert_eq!(shown(&world, "ann", &reservation).await, booked);
    assert_status(&world, &second, "FAILED");
    assert_eq!(refunds(&razorpay).len(), 1, "Razorpay's own");
    let money = books::balance(&world, REGULAR);
    assert_eq!(money, Money { confirmed: REGULAR, ..Money::default() });
}

#[tokio::test]
async fn a_refund_that_fails_is_made_anew_an_hour_later() {
    let (world, razorpay) = open().await;
    let (reservation, payment) = book(&world, &razorpay).await;
    razorpay.books().next_refund = Some("failed");
    world.cancel("ann", &reservation).await.expect(200);
    world.refund().await;
    assert_eq!(world.last_line()["refund_failures"], 1);
    let owed = words("CANCELLED", "REFUND_DUE", &payment);
    assert_eq!(shown(&world, "ann", &reservation).await, owed);
    tell(&world, &razorpay, "refund.failed", &payment).await;
    world.advance(TimeDelta::minutes(59));
    world.reconcile().await.unwrap();
    assert_eq!(shown(&world, "ann", &reservation).await, owed);
    assert_eq!(refunds(&razorpay).len(), 1, "not before its time");

    world.advance(TimeDelta::minutes(1));
    world.reconcile().await.unwrap();
    let back = words("CANCELLED", "REFUNDED", &payment);
    assert_eq!(shown(&world, "ann", &reservation).await, back);
    let [failed, processed] = ["failed", "processed"].map(|status| (REGULAR, status.to_owned()));
    assert_eq!(refunds(&razorpay), [failed, processed]);
    let made = razorpay.books().every("refund");
    assert_ne!(made[0]["key"], made[1]["key"], "the first key stands for the failed refund");
    let money = books::balance(&world, REGULAR);
    assert_eq!(money, Money { refunded: REGULAR, ..Money::default() });
}

#[tokio::test]
async fn a_pending_refund_is_owed_until_razorpay_tells_its_end() {
    let (world, razorpay) = open().await;
    let (reservation, payment) = book(&world, &razorpay).await;
    razorpay.books().next_refund = Some("pending");
    world.cancel("ann", &reservation).await.expect(200);
    world.refund().await;
    tell(&world, &razorpay, "refund.created", &payment).await;
    world.advance(TimeDelta::hours(1));
    world.reconcile().await.unwrap();
    let owed = words("CANCELLED", "REFUND_DUE", &payment);
    assert_eq!(shown(&world, "ann", &reservation).await, owed);
    assert_eq!(refunds(&razorpay), [(REGULAR, "pending".to_owned())], "one is on its way");
    let money = books::balance(&world, REGULAR);
    assert_eq!(money, Money { refund_due: REGULAR, ..Money::default() });

    razorpay.books().end_refund("processed");
    tell(&world, &razorpay, "refund.processed", &payment).await;
    let back = words("CANCELLED", "REFUNDED", &payment);
    assert_eq!(shown(&world, "ann", &reservation).await, back);
    assert_eq!(refunds(&razorpay), [(REGULAR, "processed".to_owned())]);
    let money = books::balance(&world, REGULAR);
    assert_eq!(money, Money { refunded: REGULAR, ..Money::default() });
}

#[tokio::test]
async fn a_part_that_the_house_sent_back_does_not_go_back_twice() {
    let (world, razorpay) = open().await;
    let (reservation, payment) = book(&world, &razorpay).await;
    razorpay.books().send_back(&payment, &json!({"amount": 5_000}), "processed");
    tell(&world, &razorpay, "refund.processed", &payment).await;
    let booked = words("CONFIRMED", "SUCCESS", &payment);
    assert_eq!(shown(&world, "ann", &reservation).await, booked, "a gesture ends no booking");

    world.cancel("ann", &reservation).await.expect(200);
    world.refund().await;
    let [part, rest] = [5_000, REGULAR - 5_000].map(|amount| (amount, "processed".to_owned()));
    assert_eq!(refunds(&razorpay), [part, rest]);
    let back = words("CANCELLED", "REFUNDED", &payment);
    assert_eq!(shown(&world, "ann", &reservation).await, back);
    books::balance(&world, REGULAR);
}

#[tokio::test]
async fn while_razorpay_is_away_nothing_is_lost() {
    let world = World::new().await.with_provider("razorpay", "http://127.0.0.1:1");
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let answer = world.checkout("ann", "t1").await;
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(answer.problem(503), "try_again");
    assert_eq!(world.payments(), [], "there is nothing to pay");

    let waiting = world.confirm("ann", "t1", "pay_00000000000001").await.expect(202);
    assert_eq!(waiting["payment"]["status"], "PENDING");
    let reservation = held["reservationId"].as_str().unwrap();
    let kept = words("PENDING", "PENDING", "pay_00000000000001");
    assert_eq!(shown(&world, "ann", reservation).await, kept);
    assert_status(&world, "pay_00000000000001", "PENDING");
}

#[tokio::test]
async fn a_wrong_api_key_is_told_as_away_and_writes_nothing() {
    let razorpay = Razorpay::default();
    let url = razorpay.serve(KEYS.0, "another key").await;
    let world = World::new().await.with_provider("razorpay", &url);
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let answer = world.checkout("ann", "t1").await;
    let seen = format!("{answer:?} {}", world.last_line());
    assert_eq!(answer.problem(503), "try_again", "it may have been replaced just now");
    assert!(!seen.contains(KEYS.1) && !seen.contains("Authentication failed"), "{seen}");

    assert_eq!(world.payments(), []);
    assert_eq!(razorpay.books().every("order"), [] as [Value; 0]);
    let path = format!("/api/reservations/{}", held["reservationId"].as_str().unwrap());
    let kept = world.call("ann", "GET", &path, json!(null)).await.expect(200);
    assert_eq!((&kept["payment"], &kept["holdExpiresAt"]), (&json!(null), &held["holdExpiresAt"]));
}
