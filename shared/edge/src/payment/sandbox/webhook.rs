//! The sandbox's webhooks: signed as the Standard Webhooks specification says
//! (<https://github.com/standard-webhooks/standard-webhooks>), and what they say in our words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::id::{PaymentReference, Provider};
use domain::money::{Currency, Money};
use domain::payment::{Event, Outcome, Progress, Refund, Report};
use domain::time::Timestamp;
use lambda_http::http::HeaderMap;
use serde_json::Value;

use crate::payment::signature::{self, TOLERANCE_SECS};
use crate::payment::{Unreadable, Webhook};

/// Bytes of a `webhook-signature` that are looked at. A signature takes 48, and there is one for
/// each secret that is good; each that a stranger invents costs us a hash of the body.
const SIGNATURES_BYTES_MAX: usize = 1024;

/// Whether `secret` signed this body within the last five minutes. While one secret replaces
/// another, both sign, so any signature may be the one. A clock that is ahead is believed no more
/// than one that is behind.
pub(super) fn is_signed(headers: &HeaderMap, body: &[u8], secret: &str, now: Timestamp) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let id_and_time = text("webhook-id").zip(text("webhook-timestamp"));
    let Some(((id, time), signatures)) = id_and_time.zip(text("webhook-signature")) else {
        return false;
    };
    let is_of_now = |sent_at: i64| now.timestamp().abs_diff(sent_at) <= TOLERANCE_SECS;
    if !time.parse().is_ok_and(is_of_now) || signatures.len() > SIGNATURES_BYTES_MAX {
        return false;
    }
    let key = key(secret);
    let signed = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    let is_ours = |signature: Vec<u8>| signature::is_of(&signature, &key, &signed);
    // Anybody can sign with no key at all.
    !key.is_empty() && signatures.split(' ').filter_map(bytes).any(is_ours)
}

/// The key that a secret stands for: `whsec_` and Base64, or any other text as it is.
fn key(secret: &str) -> Vec<u8> {
    let text = secret.strip_prefix("whsec_").unwrap_or(secret);
    BASE64.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec())
}

/// The bytes of `v1,…`. Other versions are other ways of signing.
fn bytes(signature: &str) -> Option<Vec<u8>> {
    BASE64.decode(signature.strip_prefix("v1,")?).ok()
}

#[derive(serde::Deserialize)]
struct Body {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Value,
}

/// A payment as it stood. What its payer wrote into it may be no id of ours.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payment {
    payment_reference: PaymentReference,
    reservation_id: String,
    amount: u64,
    currency: Currency,
}

/// What a signed body says. It is never about real money.
pub(super) fn read(provider: &Provider, body: &[u8]) -> Result<Webhook, Unreadable> {
    let Body { kind, data } = serde_json::from_slice(body)?;
    let event = match kind.as_str() {
        "payment.processing" => Some(payment(provider, data, Progress::Processing)?),
        "payment.succeeded" => Some(payment(provider, data, Progress::Captured)?),
        "payment.failed" => Some(payment(provider, data, Progress::Failed)?),
        "payment.refunded" => Some(payment(provider, data, Progress::Refunded)?),
        "refund.failed" => Some(refund_failed(provider, data)?),
        _means_nothing_to_us => None,
    };
    Ok(Webhook { kind, live: Some(false), event })
}

fn payment(provider: &Provider, data: Value, progress: Progress) -> Result<Event, Unreadable> {
    let payment: Payment = serde_json::from_value(data)?;
    let reservation_id = payment.reservation_id.parse().ok();
    let money = Money::new(payment.amount, payment.currency)?;
    Ok(Event::Payment(Report {
        provider: provider.clone(),
        reference: payment.payment_reference,
        outcome: Outcome::Known { reservation_id, money, progress },
    }))
}

fn refund_failed(provider: &Provider, data: Value) -> Result<Event, Unreadable> {
    let payment: Payment = serde_json::from_value(data)?;
    Ok(Event::Refund {
        provider: provider.clone(),
        reference: payment.payment_reference,
        money: Money::new(payment.amount, payment.currency)?,
        refund: Refund::Failed,
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use lambda_http::http::HeaderValue;
    use serde_json::json;

    use super::*;

    // What the specification's own libraries test signing with.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SENT_AT: i64 = 1_614_265_330;
    const BODY: &str = r#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    // The same signed with other keys, by Python's `hmac`.
    const BY_PLAIN_SECRET: &str = "v1,ENqrYZJfEdejvH41MpDAd0s4SZwl35B0bx0LOnREaDY=";
    const BY_ANOTHER: &str = "v1,BxnwNDe4koPZsQYpMrY0quJetDkM3fY3v1ezvCqIyrA=";
    const BY_NO_KEY: &str = "v1,woH/1mJtZGSMCmpFTxRYbStS24eLLD/oXIYr4PYyZ7g=";

    fn headers(signatures: &str) -> HeaderMap {
        let time = SENT_AT.to_string();
        [("webhook-id", ID), ("webhook-timestamp", &time), ("webhook-signature", signatures)]
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .into_iter()
            .collect()
    }

    fn is_believed(headers: &HeaderMap, body: &str) -> bool {
        is_signed(headers, body.as_bytes(), SECRET, DateTime::from_timestamp(SENT_AT, 0).unwrap())
    }

    #[test]
    fn a_signature_is_good_for_five_minutes_around_its_time() {
        for (now, expected) in [
            (SENT_AT, true),
            (SENT_AT + 300, true),
            (SENT_AT + 301, false),
            (SENT_AT - 300, true),
            (SENT_AT - 301, false),
        ] {
            let at = DateTime::from_timestamp(now, 0).unwrap();
            let found = is_signed(&headers(SIGNATURE), BODY.as_bytes(), SECRET, at);
            assert_eq!(found, expected, "{now}");
        }
    }

    #[test]
    fn a_body_is_believed_only_to_the_byte() {
        let headers = headers(SIGNATURE);
        let changed = BODY.replace("14}", "15}");
        let written_anew = serde_json::from_str::<Value>(BODY).unwrap().to_string();
        let truncated = &BODY[..BODY.len() - 1];
        for body in ["", truncated, &changed, &written_anew, &format!("{BODY}\n")] {
            assert!(!is_believed(&headers, body), "{body}");
        }
        assert!(is_believed(&headers, BODY));
    }

    #[test]
    fn a_header_that_is_missing_or_changed_is_refused() {
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let mut headers = headers(SIGNATURE);
            headers.remove(name).unwrap();
            assert!(!is_believed(&headers, BODY), "no {name}");
        }
        for (name, value) in [
            ("webhook-id", ""),
            ("webhook-id", "msg_another"),
            ("webhook-timestamp", "1614265331"),
            ("webhook-timestamp", "+1614265330"),
            ("webhook-timestamp", "soon"),
            ("webhook-timestamp", "-9223372036854775808"),
            ("webhook-timestamp", "99999999999999999999"),
        ] {
            let mut headers = headers(SIGNATURE);
            headers.insert(name, value.parse().unwrap());
            assert!(!is_believed(&headers, BODY), "{name}: {value}");
        }
    }

    #[test]
    fn any_of_several_signatures_may_be_ours() {
        let without_version = &SIGNATURE["v1,".len()..];
        for (signatures, expected) in [
            (SIGNATURE.to_owned(), true),
            (format!("{BY_ANOTHER} {SIGNATURE}"), true),
            (format!("{SIGNATURE} {BY_ANOTHER}"), true),
            (format!("v1,? v1a,{without_version} {SIGNATURE}"), true),
            (BY_ANOTHER.to_owned(), false),
            (format!("v1a,{without_version}"), false),
            (without_version.to_owned(), false),
            (SIGNATURE[..SIGNATURE.len() - 1].to_owned(), false),
            (SIGNATURE[..SIGNATURE.len() - 4].to_owned(), false),
            ("v1,".to_owned(), false),
            (String::new(), false),
            (format!("{SIGNATURE} {}", "0".repeat(SIGNATURES_BYTES_MAX)), false),
        ] {
            assert_eq!(is_believed(&headers(&signatures), BODY), expected, "{signatures:.100}");
        }
    }

    #[test]
    fn a_secret_is_base64_or_else_any_text_and_never_empty() {
        for (secret, signature, expected) in [
            (SECRET, SIGNATURE, true),
            (&SECRET["whsec_".len()..], SIGNATURE, true),
            ("a plain secret", BY_PLAIN_SECRET, true),
            ("whsec_a plain secret", BY_PLAIN_SECRET, true),
            ("a plain secret", SIGNATURE, false),
            ("", BY_NO_KEY, false),
            ("whsec_", BY_NO_KEY, false),
        ] {
            let at = DateTime::from_timestamp(SENT_AT, 0).unwrap();
            let found = is_signed(&headers(signature), BODY.as_bytes(), secret, at);
            assert_eq!(found, expected, "{secret} {signature}");
        }
    }

    fn sandbox() -> Provider {
        "sandbox".parse().unwrap()
    }

    fn inr(minor: u64) -> Money {
        Money::new(minor, "INR".parse().unwrap()).unwrap()
    }

    fn event(kind: &str, reservation_id: &str) -> Value {
        json!({
            "type": kind,
            "timestamp": "2026-11-22T06:30:00.000Z",
            "data": {
                "paymentReference": "pay_1", "reservationId": reservation_id, "amount": 45_000,
                "currency": "INR", "status": "succeeded", "refundedAmount": 0,
            },
        })
    }

    /// What an event of this kind means.
    #[track_caller]
    fn meaning(kind: &str, reservation_id: &str) -> Option<Event> {
        let body = event(kind, reservation_id).to_string();
        let webhook = read(&sandbox(), body.as_bytes()).unwrap();
        assert_eq!((webhook.kind.as_str(), webhook.live), (kind, Some(false)));
        webhook.event
    }

    #[test]
    fn an_event_about_a_payment_tells_how_it_stands() {
        for (kind, progress) in [
            ("payment.processing", Progress::Processing),
            ("payment.succeeded", Progress::Captured),
            ("payment.failed", Progress::Failed),
            ("payment.refunded", Progress::Refunded),
        ] {
            for (named, reservation_id) in [("r-1", Some("r-1".parse().unwrap())), ("a b", None)] {
                let outcome = Outcome::Known { reservation_id, money: inr(45_000), progress };
                let (provider, reference) = (sandbox(), "pay_1".parse().unwrap());
                let expected = Event::Payment(Report { provider, reference, outcome });
                assert_eq!(meaning(kind, named), Some(expected), "{kind} {named}");
            }
        }
    }

    #[test]
    fn a_failed_refund_is_of_the_whole_payment() {
        let (provider, reference) = (sandbox(), "pay_1".parse().unwrap());
        let money = inr(45_000);
        let expected = Event::Refund { provider, reference, money, refund: Refund::Failed };
        assert_eq!(meaning("refund.failed", "r-1"), Some(expected));
    }

    #[test]
    fn an_event_of_another_kind_means_nothing_and_is_no_mistake() {
        assert_eq!(meaning("payout.sent", "r-1"), None);
        let webhook = read(&sandbox(), br#"{"type": "a.kind.of.tomorrow"}"#).unwrap();
        assert_eq!(webhook.event, None);
    }

    #[test]
    fn an_event_that_breaks_its_form_is_unreadable() {
        for (name, value) in [
            ("paymentReference", json!("a b")),
            ("reservationId", json!(null)),
            ("amount", json!(-1)),
            ("amount", json!(u64::MAX)),
            ("currency", json!("inr")),
        ] {
            for kind in ["payment.succeeded", "refund.failed"] {
                let mut event = event(kind, "r-1");
                event["data"][name] = value.clone();
                let read = read(&sandbox(), event.to_string().as_bytes());
                assert!(read.is_err(), "{event}");
            }
        }
        for body in ["", "{}", "[]", r#"{"type": "payment.succeeded"}"#] {
            assert!(read(&sandbox(), body.as_bytes()).is_err(), "{body}");
        }
    }
}
