//! Stripe's webhooks: how they are signed, and what they say in our words.
//!
//! An endpoint is told at Stripe which kinds of events to get. Kinds that mean nothing to us may be
//! among them.

use domain::id::{InvalidId, PaymentReference, Provider};
use domain::payment::{Event, Outcome, Progress, Report};
use domain::time::Timestamp;
use lambda_http::http::HeaderMap;
use serde_json::Value;

use super::{Expandable, IntentObject, Metadata, Named, RefundObject, money};
use crate::payment::signature::{self, TOLERANCE_SECS};
use crate::payment::{ProviderError, Unreadable, Webhook};

/// Bytes of a `Stripe-Signature` that are looked at. A signature takes 68, and there is one for
/// each secret that the endpoint has; each that a stranger invents costs us a hash of the body.
const HEADER_BYTES_MAX: usize = 1024;

/// Whether `secret` signed this body within five minutes of now (Stripe, "Receive Stripe events in
/// your webhook endpoint", "Verify webhook signatures manually"). While two secrets are good,
/// Stripe signs with both, so any signature may be the one.
pub(super) fn is_signed(headers: &HeaderMap, body: &[u8], secret: &str, now: Timestamp) -> bool {
    let header = headers.get("stripe-signature").filter(|header| header.len() <= HEADER_BYTES_MAX);
    let text = header.and_then(|header| header.to_str().ok());
    let Some((time, signatures)) = text.and_then(parts) else {
        return false;
    };
    let is_of_now = |sent_at: i64| now.timestamp().abs_diff(sent_at) <= TOLERANCE_SECS;
    let is_ours = |signature: Vec<u8>| {
        signature::is_of(&signature, secret.as_bytes(), &[time.as_bytes(), b".", body])
    };
    time.parse().is_ok_and(is_of_now)
        && signatures.into_iter().filter_map(signature::unhex).any(is_ours)
}

/// The time and the signatures of `t=…,v1=…,v1=…,v0=…`. No other scheme than `v1` counts, or the
/// weakest would.
fn parts(header: &str) -> Option<(&str, Vec<&str>)> {
    let mut times = Vec::new();
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.split_once('=')? {
            ("t", time) => times.push(time),
            ("v1", signature) => signatures.push(signature),
            _other_scheme => {}
        }
    }
    match times[..] {
        [time] => Some((time, signatures)),
        _ => None,
    }
}

/// Stripe API, "The Event object". `object` is as it was when the event happened.
#[derive(serde::Deserialize)]
struct EventObject {
    #[serde(rename = "type")]
    kind: String,
    livemode: Option<bool>,
    data: Data,
}

#[derive(serde::Deserialize)]
struct Data {
    object: Value,
}

/// Stripe API, "The Charge object". Its metadata is a copy of its intent's.
#[derive(serde::Deserialize)]
struct ChargeObject {
    amount: u64,
    amount_captured: Option<u64>,
    currency: String,
    refunded: bool,
    payment_intent: Option<Expandable<Named>>,
    #[serde(default)]
    metadata: Metadata,
}

/// What a signed body says (Stripe API, "Types of events").
pub(super) fn read(provider: &Provider, body: &[u8]) -> Result<Webhook, Unreadable> {
    let EventObject { kind, livemode, data: Data { object } } = serde_json::from_slice(body)?;
    let event = match kind.as_str() {
        "payment_intent.succeeded" => Some(payment(provider, object, Progress::Captured)?),
        "payment_intent.processing" => Some(payment(provider, object, Progress::Processing)?),
        "payment_intent.payment_failed" | "payment_intent.canceled" => {
            Some(payment(provider, object, Progress::Failed)?)
        }
        "charge.refunded" => refunded(provider, object)?,
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
            refund(provider, object)?
        }
        _means_nothing_to_us => None,
    };
    Ok(Webhook { kind, live: livemode, event })
}

fn payment(provider: &Provider, object: Value, progress: Progress) -> Result<Event, Unreadable> {
    let intent: IntentObject = serde_json::from_value(object)?;
    let outcome = intent.outcome(progress).map_err(unreadable)?;
    Ok(Event::Payment(Report { provider: provider.clone(), reference: intent.id, outcome }))
}

/// A charge of which some went back. It means something once all of it did; and nothing if it was
/// only authorised and let go, which Stripe calls refunded too.
fn refunded(provider: &Provider, object: Value) -> Result<Option<Event>, Unreadable> {
    let charge: ChargeObject = serde_json::from_value(object)?;
    let captured = charge.amount_captured.unwrap_or(charge.amount);
    let Some(reference) = reference(charge.payment_intent)? else {
        return Ok(None);
    };
    if !charge.refunded || captured == 0 {
        return Ok(None);
    }
    let outcome = Outcome::Known {
        reservation_id: charge.metadata.reservation_id(),
        money: money(captured, &charge.currency).map_err(unreadable)?,
        progress: Progress::Refunded,
    };
    Ok(Some(Event::Payment(Report { provider: provider.clone(), reference, outcome })))
}

fn refund(provider: &Provider, object: Value) -> Result<Option<Event>, Unreadable> {
    let refund: RefundObject = serde_json::from_value(object)?;
    let progress = refund.progress();
    let money = money(refund.amount, &refund.currency).map_err(unreadable)?;
    let event = |reference| Event::Refund {
        provider: provider.clone(),
        reference,
        money,
        refund: progress,
    };
    Ok(reference(refund.payment_intent)?.map(event))
}

/// Of which payment. Charges that were made without an intent are not ours.
fn reference(intent: Option<Expandable<Named>>) -> Result<Option<PaymentReference>, InvalidId> {
    let parse = |intent| match intent {
        Expandable::Id(id) | Expandable::Object(Named { id }) => id.parse(),
    };
    intent.map(parse).transpose()
}

fn unreadable(error: ProviderError) -> Unreadable {
    Unreadable(error.to_string())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::money::Money;
    use domain::payment::Refund;
    use lambda_http::http::HeaderValue;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "whsec_of_nobody";
    const SENT_AT: i64 = 1_754_000_000;
    const BODY: &str = r#"{"id": "evt_1", "type": "payment_intent.succeeded"}"#;

    /// Python: `hmac.new(SECRET, b"1754000000." + BODY, hashlib.sha256).hexdigest()`.
    const SIGNATURE: &str = "8dbb842c9a52692d383c22c1df3017b87dd91b32d513b54dd21ad9cbee909fc4";

    /// The same with the secret `whsec_of_another`.
    const ANOTHERS: &str = "7f2bc01dea347d1600129156e2d695151faa79169ca8a812b71ce0679594da06";

    fn is_believed(header: &str, body: &str, now: i64) -> bool {
        let header = HeaderValue::from_bytes(header.as_bytes()).unwrap();
        let headers = HeaderMap::from_iter([("stripe-signature".parse().unwrap(), header)]);
        is_signed(&headers, body.as_bytes(), SECRET, DateTime::from_timestamp(now, 0).unwrap())
    }

    fn signed_by(signatures: &[&str]) -> String {
        let schemes: String = signatures.iter().map(|hex| format!(",v1={hex}")).collect();
        format!("t={SENT_AT}{schemes},v0={SIGNATURE}")
    }

    #[test]
    fn a_signature_is_good_for_five_minutes_around_its_time() {
        let header = signed_by(&[SIGNATURE]);
        for (now, expected) in [
            (SENT_AT, true),
            (SENT_AT + 300, true),
            (SENT_AT + 301, false),
            (SENT_AT - 300, true),
            (SENT_AT - 301, false),
        ] {
            assert_eq!(is_believed(&header, BODY, now), expected, "{now}");
        }
    }

    #[test]
    fn a_body_is_believed_only_to_the_byte() {
        let header = signed_by(&[SIGNATURE]);
        let changed = BODY.replace("evt_1", "evt_2");
        let written_anew = serde_json::from_str::<Value>(BODY).unwrap().to_string();
        let truncated = &BODY[..BODY.len() - 1];
        for body in ["", truncated, &changed, &written_anew, &format!("{BODY}\n")] {
            assert!(!is_believed(&header, body, SENT_AT), "{body}");
        }
        let later = header.replace("t=1754000000", "t=1754000001");
        assert!(!is_believed(&later, BODY, SENT_AT));
    }

    #[test]
    fn any_of_several_signatures_may_be_ours() {
        for (signatures, expected) in [
            (vec![], false),
            (vec![ANOTHERS], false),
            (vec![ANOTHERS, SIGNATURE], true),
            (vec![SIGNATURE, ANOTHERS], true),
            (vec!["no hex", SIGNATURE], true),
            (vec![&SIGNATURE[..62]], false),
            (vec![&SIGNATURE[..63]], false),
            (vec![&format!("{SIGNATURE}0")], false),
            (vec![""], false),
        ] {
            assert_eq!(is_believed(&signed_by(&signatures), BODY, SENT_AT), expected);
        }
    }

    #[test]
    fn a_malformed_header_is_refused() {
        let good = format!("t={SENT_AT},v1={SIGNATURE}");
        assert!(is_believed(&good, BODY, SENT_AT));
        for header in [
            String::new(),
            format!("t={SENT_AT}"),
            format!("v1={SIGNATURE}"),
            format!("t={SENT_AT},v0={SIGNATURE}"),
            format!("t={SENT_AT},{good}"),
            format!("{good},t=0"),
            format!("{good},v1"),
            format!("{good},"),
            format!("{good},v1=ü"),
            format!("t=,v1={SIGNATURE}"),
            format!("t=soon,v1={SIGNATURE}"),
            format!("t=-9223372036854775808,v1={SIGNATURE}"),
            format!("t=99999999999999999999,v1={SIGNATURE}"),
            format!("{good},v0={}", "0".repeat(HEADER_BYTES_MAX)),
        ] {
            assert!(!is_believed(&header, BODY, SENT_AT), "{header:.100}");
        }
        let now = DateTime::from_timestamp(SENT_AT, 0).unwrap();
        assert!(!is_signed(&HeaderMap::new(), BODY.as_bytes(), SECRET, now));
    }

    fn stripe() -> Provider {
        "stripe".parse().unwrap()
    }

    fn inr(minor: u64) -> Money {
        Money::new(minor, "INR".parse().unwrap()).unwrap()
    }

    /// What an event of this kind means that is about `object`.
    #[track_caller]
    fn meaning(kind: &str, object: &Value) -> Option<Event> {
        let event = json!({
            "id": "evt_1", "object": "event", "api_version": "2024-06-20", "created": SENT_AT,
            "data": {"object": object}, "livemode": false, "pending_webhooks": 1,
            "request": {"id": "req_1", "idempotency_key": null}, "type": kind,
        });
        let webhook = read(&stripe(), event.to_string().as_bytes()).unwrap();
        assert_eq!((webhook.kind.as_str(), webhook.live), (kind, Some(false)));
        webhook.event
    }

    fn payment_event(minor: u64, progress: Progress) -> Option<Event> {
        let reservation_id = Some("r-1".parse().unwrap());
        let outcome = Outcome::Known { reservation_id, money: inr(minor), progress };
        let reference = "pi_1".parse().unwrap();
        Some(Event::Payment(Report { provider: stripe(), reference, outcome }))
    }

    #[test]
    fn an_event_about_an_intent_tells_of_a_payment() {
        for (kind, status, received, expected) in [
            ("succeeded", "succeeded", 45_000, payment_event(45_000, Progress::Captured)),
            ("succeeded", "succeeded", 40_000, payment_event(40_000, Progress::Captured)),
            ("processing", "processing", 0, payment_event(45_000, Progress::Processing)),
            (
                "payment_failed",
                "requires_payment_method",
                0,
                payment_event(45_000, Progress::Failed),
            ),
            ("canceled", "canceled", 0, payment_event(45_000, Progress::Failed)),
            ("requires_action", "requires_action", 0, None),
            ("created", "requires_payment_method", 0, None),
        ] {
            let intent = json!({
                "id": "pi_1", "object": "payment_intent", "amount": 45_000, "amount_capturable": 0,
                "amount_received": received, "capture_method": "automatic_async",
                "client_secret": "pi_1_secret_1", "currency": "inr", "last_payment_error": null,
                "latest_charge": "ch_1", "livemode": false,
                "metadata": {"reservation_id": "r-1"}, "status": status,
            });
            assert_eq!(meaning(&format!("payment_intent.{kind}"), &intent), expected, "{kind}");
        }
    }

    #[test]
    fn a_charge_tells_of_a_payment_once_all_of_it_went_back() {
        let charge = json!({
            "id": "ch_1", "object": "charge", "amount": 45_000, "amount_captured": 45_000,
            "amount_refunded": 45_000, "captured": true, "currency": "inr",
            "metadata": {"reservation_id": "r-1"}, "paid": true, "payment_intent": "pi_1",
            "refunded": true, "status": "succeeded",
        });
        for (name, value, expected) in [
            ("refunded", json!(true), payment_event(45_000, Progress::Refunded)),
            ("payment_intent", json!({"id": "pi_1"}), payment_event(45_000, Progress::Refunded)),
            ("amount_captured", json!(40_000), payment_event(40_000, Progress::Refunded)),
            ("amount_captured", json!(null), payment_event(45_000, Progress::Refunded)),
            ("amount_captured", json!(0), None),
            ("refunded", json!(false), None),
            ("payment_intent", json!(null), None),
        ] {
            let mut charge = charge.clone();
            charge[name] = value;
            assert_eq!(meaning("charge.refunded", &charge), expected, "{charge}");
        }
    }

    #[test]
    fn an_event_about_a_refund_tells_how_far_it_is() {
        for (kind, status, expected) in [
            ("refund.created", json!("pending"), Refund::Processing),
            ("refund.created", json!("succeeded"), Refund::Done),
            ("refund.updated", json!("requires_action"), Refund::Processing),
            ("refund.updated", json!("canceled"), Refund::Failed),
            ("refund.failed", json!("failed"), Refund::Failed),
            ("charge.refund.updated", json!("succeeded"), Refund::Done),
            ("charge.refund.updated", json!(null), Refund::Processing),
        ] {
            let mut refund = json!({
                "id": "re_1", "object": "refund", "amount": 5_000, "charge": "ch_1",
                "currency": "inr", "metadata": null, "payment_intent": "pi_1", "status": status,
            });
            let (provider, reference) = (stripe(), "pi_1".parse().unwrap());
            let event = Event::Refund { provider, reference, money: inr(5_000), refund: expected };
            assert_eq!(meaning(kind, &refund), Some(event), "{kind} {refund}");
            refund["payment_intent"] = json!(null);
            assert_eq!(meaning(kind, &refund), None, "{kind} {refund}");
        }
    }

    #[test]
    fn an_event_of_another_kind_means_nothing_and_is_no_mistake() {
        assert_eq!(meaning("customer.created", &json!({"id": "cus_1"})), None);
        assert_eq!(meaning("a.kind.of.tomorrow", &json!(null)), None);
    }

    #[test]
    fn content_that_is_not_stripes_is_unreadable() {
        for body in ["", "[]", r#"{"type": "refund.failed"}"#, BODY] {
            assert!(read(&stripe(), body.as_bytes()).is_err(), "{body}");
        }
        for (kind, object) in [
            ("payment_intent.succeeded", json!({"id": "pi_1"})),
            ("charge.refunded", json!({"amount": -1, "currency": "inr", "refunded": true})),
            ("refund.failed", json!({"amount": 1, "currency": "rupees", "status": "failed"})),
        ] {
            let event = json!({"type": kind, "livemode": true, "data": {"object": object}});
            assert!(read(&stripe(), event.to_string().as_bytes()).is_err(), "{kind}");
        }
    }
}
