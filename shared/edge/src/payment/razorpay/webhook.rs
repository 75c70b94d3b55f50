//! Razorpay's webhooks: how they are signed, and what they say in our words.

use domain::id::{PaymentReference, Provider, ReservationId};
use domain::money::Currency;
use domain::payment::{self, Event, Progress};
use domain::time::Timestamp;
use lambda_http::http::HeaderMap;
use serde_json::Value;

use super::objects::{Order, Payment, named_in_notes};
use crate::payment::{ProviderError, Unreadable, Webhook, currency, signature};

/// Whether `X-Razorpay-Signature` is the HMAC-SHA256 of the body as it came, in hex
/// (<https://razorpay.com/docs/webhooks/validate-test>).
///
/// The scheme has no time of signing, and Razorpay sends the same body for 24 hours until it is
/// received, so a replay cannot be told from a second delivery. It need not be: every event says
/// how something stood, and payments only move forward, so an event that comes again changes
/// nothing. `X-Razorpay-Event-Id` is outside the signature: events are not told apart by it, or a
/// replay under a fresh event's id would silence that event.
pub(super) fn is_signed(headers: &HeaderMap, body: &[u8], secret: &str, _now: Timestamp) -> bool {
    let signature = headers.get("x-razorpay-signature").and_then(|value| value.to_str().ok());
    let signature = signature.and_then(signature::unhex);
    signature.is_some_and(|signature| signature::is_of(&signature, secret.as_bytes(), &[body]))
}

#[derive(serde::Deserialize)]
struct Body {
    event: String,
    #[serde(default)]
    payload: Value,
}

#[derive(serde::Deserialize)]
struct Entity<T> {
    entity: T,
}

#[derive(serde::Deserialize)]
struct AboutPayment {
    payment: Entity<Payment>,
    order: Option<Entity<Order>>,
}

#[derive(serde::Deserialize)]
struct AboutRefund {
    refund: Entity<Refund>,
    payment: Option<Entity<Payment>>,
}

#[derive(serde::Deserialize)]
struct Refund {
    payment_id: PaymentReference,
    amount: u64,
    currency: Currency,
    #[serde(rename = "notes", default, deserialize_with = "named_in_notes")]
    reservation_id: Option<ReservationId>,
}

/// What a signed body says. Events come in any order, and some more than once
/// (<https://razorpay.com/docs/webhooks/best-practices>).
///
/// # Errors
///
/// [`Unreadable`] if an event that we know is not as Razorpay documents it.
pub(super) fn read(provider: &Provider, body: &[u8]) -> Result<Webhook, Unreadable> {
    let Body { event: kind, payload } = serde_json::from_slice(body)?;
    let event = match kind.as_str() {
        "payment.authorized" => Some(of_payment(provider, payload, Progress::Processing)?),
        "payment.captured" | "order.paid" => {
            Some(of_payment(provider, payload, Progress::Captured)?)
        }
        "payment.failed" => Some(of_payment(provider, payload, Progress::Failed)?),
        "refund.created" => Some(of_refund(provider, payload, payment::Refund::Processing)?),
        "refund.processed" => Some(of_refund(provider, payload, payment::Refund::Done)?),
        "refund.failed" => Some(of_refund(provider, payload, payment::Refund::Failed)?),
        _nothing_to_us => None,
    };
    // The payload is the same in test and live mode.
    Ok(Webhook { kind, live: None, event })
}

fn of_payment(
    provider: &Provider,
    payload: Value,
    progress: Progress,
) -> Result<Event, Unreadable> {
    let AboutPayment { payment, order } = serde_json::from_value(payload)?;
    let named_by_order = order.and_then(|order| order.entity.reservation_id);
    report(payment.entity, provider, progress, named_by_order)
}

/// A refund that completes the way back of all the money, or one of money that was never ours, says
/// how its payment stands. Any other is a step on the way.
fn of_refund(
    provider: &Provider,
    payload: Value,
    refund: payment::Refund,
) -> Result<Event, Unreadable> {
    let AboutRefund { refund: Entity { entity: told }, payment } = serde_json::from_value(payload)?;
    if let Some(Entity { entity: payment }) = payment {
        let progress = payment.progress();
        let all_is_back = progress == Progress::Refunded && refund == payment::Refund::Done;
        if all_is_back || progress == Progress::Failed {
            return report(payment, provider, progress, told.reservation_id);
        }
    }
    let money = currency::from_razorpay(told.amount, told.currency).map_err(unreadable)?;
    Ok(Event::Refund { provider: provider.clone(), reference: told.payment_id, money, refund })
}

fn report(
    payment: Payment,
    provider: &Provider,
    progress: Progress,
    named_beside: Option<ReservationId>,
) -> Result<Event, Unreadable> {
    payment.report(provider, progress, named_beside).map(Event::Payment).map_err(unreadable)
}

fn unreadable(error: ProviderError) -> Unreadable {
    Unreadable(error.to_string())
}

#[cfg(test)]
mod tests {
    use domain::money::Money;
    use domain::payment::{Outcome, Refund, Report};
    use serde_json::json;

    use super::*;

    const SECRET: &str = "a webhook secret of ours";
    const BODY: &[u8] = b"{\"entity\": \"event\", \"account_id\": \"acc_Rk3vYw0AbCdEfG\", \
        \"event\": \"payment.captured\", \"contains\": [\"payment\"]}";

    /// By Python's `hmac.new(SECRET, BODY, hashlib.sha256).hexdigest()`.
    const SIGNATURE: &str = "76439d3887fbc84bbe1806e56c469485fab82c9817d448127c704b2b51998617";

    const RESERVATION: &str = "3f0f4f0e-8f5c-5b4e-9d5e-0a7c2f6b1d11";

    fn is_signed_by(signature: &str, body: &[u8], secret: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("X-Razorpay-Signature", signature.parse().unwrap());
        is_signed(&headers, body, secret, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_razorpay_signed_is_believed_in_either_case_of_hex() {
        assert!(is_signed_by(SIGNATURE, BODY, SECRET));
        assert!(is_signed_by(&SIGNATURE.to_uppercase(), BODY, SECRET));
    }

    #[test]
    fn a_signature_is_of_these_bytes_by_this_secret_and_whole() {
        let changed = String::from_utf8_lossy(BODY).replace("captured", "captureD");
        let parsed: Value = serde_json::from_slice(BODY).unwrap();
        assert!(!is_signed_by(SIGNATURE, changed.as_bytes(), SECRET));
        assert!(!is_signed_by(SIGNATURE, parsed.to_string().as_bytes(), SECRET), "written anew");
        assert!(!is_signed_by(SIGNATURE, BODY, "another secret"));
        for signature in ["", "7", &SIGNATURE[..62], &SIGNATURE[..63], &format!("{SIGNATURE}00")] {
            assert!(!is_signed_by(signature, BODY, SECRET), "{signature:?}");
        }
        assert!(!is_signed_by(&SIGNATURE.replace('7', "g"), BODY, SECRET), "not hex");
        assert!(!is_signed(&HeaderMap::new(), BODY, SECRET, Timestamp::UNIX_EPOCH), "no header");
    }

    fn payment(status: &str, captured: bool, amount_refunded: u64, notes: Value) -> Value {
        json!({
            "id": "pay_Rk4AaBbCcDdEeF", "entity": "payment", "amount": 45_000, "currency": "INR",
            "base_amount": 45_000, "status": status, "order_id": "order_Rk3zZyYxXwWvVu",
            "invoice_id": null, "international": false, "method": "upi",
            "amount_refunded": amount_refunded, "amount_transferred": 0, "refund_status": null,
            "captured": captured, "description": null, "card_id": null, "vpa": "ann@example",
            "email": "ann@example.com", "contact": "+910000000000", "notes": notes, "fee": null,
            "error_code": null, "acquirer_data": {"rrn": "000000000000"},
            "created_at": 1_795_000_000,
        })
    }

    fn refund(amount: u64, notes: &Value) -> Value {
        json!({"entity": {
            "id": "rfnd_Rk5GgHhIiJjKkL", "entity": "refund", "amount": amount, "currency": "INR",
            "payment_id": "pay_Rk4AaBbCcDdEeF", "notes": notes, "receipt": null,
            "acquirer_data": {"arn": null}, "created_at": 1_795_000_100, "batch_id": null,
            "status": "processed", "speed_processed": "normal", "speed_requested": "normal",
        }})
    }

    fn ours() -> Value {
        json!({"reservation_id": RESERVATION, "a payer's word": "anything"})
    }

    fn read_event(kind: &str, payload: &Value) -> Result<Webhook, Unreadable> {
        let body = json!({
            "entity": "event", "account_id": "acc_Rk3vYw0AbCdEfG", "event": kind,
            "contains": ["payment"], "payload": payload, "created_at": 1_795_000_101,
        });
        read(&"razorpay".parse().unwrap(), body.to_string().as_bytes())
    }

    #[track_caller]
    fn check(kind: &str, payload: &Value, expected: Option<Event>) {
        let expected = Webhook { kind: kind.to_owned(), live: None, event: expected };
        assert_eq!(read_event(kind, payload).unwrap(), expected);
    }

    fn inr(minor: u64) -> Money {
        Money::new(minor, "INR".parse().unwrap()).unwrap()
    }

    fn stands(reservation_id: Option<&str>, progress: Progress) -> Option<Event> {
        let reservation_id = reservation_id.map(|id| id.parse().unwrap());
        Some(Event::Payment(Report {
            provider: "razorpay".parse().unwrap(),
            reference: "pay_Rk4AaBbCcDdEeF".parse().unwrap(),
            outcome: Outcome::Known { reservation_id, money: inr(45_000), progress },
        }))
    }

    fn goes_back(minor: u64, refund: Refund) -> Option<Event> {
        Some(Event::Refund {
            provider: "razorpay".parse().unwrap(),
            reference: "pay_Rk4AaBbCcDdEeF".parse().unwrap(),
            money: inr(minor),
            refund,
        })
    }

    #[test]
    fn an_authorised_payment_is_not_decided() {
        let payload = json!({"payment": {"entity": payment("authorized", false, 0, ours())}});
        check("payment.authorized", &payload, stands(Some(RESERVATION), Progress::Processing));
    }

    #[test]
    fn a_captured_payment_names_its_reservation_or_none() {
        let of = |notes| json!({"payment": {"entity": payment("captured", true, 0, notes)}});
        let captured = |id| stands(id, Progress::Captured);
        check("payment.captured", &of(ours()), captured(Some(RESERVATION)));
        for notes in [json!([]), json!({}), json!(null), json!({"reservation_id": "no id of ours"})]
        {
            check("payment.captured", &of(notes), captured(None));
        }
        let mut without_notes = of(json!([]));
        without_notes["payment"]["entity"].as_object_mut().unwrap().remove("notes");
        check("payment.captured", &without_notes, captured(None));
    }

    #[test]
    fn a_failed_payment_has_failed() {
        let payload = json!({"payment": {"entity": payment("failed", false, 0, json!([]))}});
        check("payment.failed", &payload, stands(None, Progress::Failed));
    }

    #[test]
    fn a_paid_order_names_the_reservation_where_its_payment_does_not() {
        let order = json!({
            "id": "order_Rk3zZyYxXwWvVu", "entity": "order", "amount": 45_000,
            "amount_paid": 45_000, "amount_due": 0, "currency": "INR", "receipt": RESERVATION,
            "offer_id": null, "status": "paid", "attempts": 1, "notes": ours(),
            "created_at": 1_794_999_990,
        });
        let payload = json!({
            "payment": {"entity": payment("captured", true, 0, json!([]))},
            "order": {"entity": order},
        });
        check("order.paid", &payload, stands(Some(RESERVATION), Progress::Captured));
    }

    #[test]
    fn a_refund_that_is_made_or_fails_says_so() {
        for (kind, told) in
            [("refund.created", Refund::Processing), ("refund.failed", Refund::Failed)]
        {
            let payment = payment("captured", true, 45_000, ours());
            let payload =
                json!({"refund": refund(45_000, &ours()), "payment": {"entity": payment}});
            check(kind, &payload, goes_back(45_000, told));
        }
    }

    #[test]
    fn a_refund_of_all_is_the_end_of_its_payment_and_one_of_a_part_is_not() {
        let of = |amount: u64, payment: Value| {
            let refund = refund(amount, &ours());
            json!({"refund": refund, "payment": {"entity": payment}})
        };
        let all = of(45_000, payment("refunded", true, 45_000, json!([])));
        check("refund.processed", &all, stands(Some(RESERVATION), Progress::Refunded));
        let part = of(5_000, payment("captured", true, 5_000, ours()));
        check("refund.processed", &part, goes_back(5_000, Refund::Done));
        let last_part = of(5_000, payment("captured", true, 45_000, ours()));
        check("refund.processed", &last_part, stands(Some(RESERVATION), Progress::Refunded));
        let alone = json!({"refund": refund(5_000, &json!([]))});
        check("refund.processed", &alone, goes_back(5_000, Refund::Done));
    }

    #[test]
    fn money_that_was_never_captured_and_goes_back_is_a_failed_payment() {
        for kind in ["refund.created", "refund.processed", "refund.failed"] {
            let payment = payment("refunded", false, 45_000, ours());
            let payload =
                json!({"refund": refund(45_000, &json!([])), "payment": {"entity": payment}});
            check(kind, &payload, stands(Some(RESERVATION), Progress::Failed));
        }
    }

    #[test]
    fn other_events_mean_nothing_and_need_not_be_understood() {
        check("refund.speed_changed", &json!({"refund": {}}), None);
        check("payment.downtime.started", &json!({"payment.downtime": {"entity": {}}}), None);
        check("subscription.charged", &json!([]), None);
    }

    #[test]
    fn an_event_that_is_not_as_documented_is_unreadable() {
        let mut fractional = payment("captured", true, 0, ours());
        fractional["amount"] = json!("45000");
        let mut coined = payment("captured", true, 0, ours());
        coined["currency"] = json!("rupees");
        for payload in [
            json!(null),
            json!({}),
            json!({"payment": {}}),
            json!({"payment": {"entity": fractional}}),
            json!({"payment": {"entity": coined}}),
        ] {
            assert!(read_event("payment.captured", &payload).is_err(), "{payload}");
        }
        assert!(read(&"razorpay".parse().unwrap(), b"payment.captured").is_err());
    }
}
