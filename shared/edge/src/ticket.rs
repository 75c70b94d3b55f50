//! Tickets: what a booking is shown by at the door, signed so that nobody else makes one.
//!
//! A ticket is a compact JWS (RFC 7515) with an audience of its own, so that no ticket is ever a
//! token and no token a ticket, whatever their secrets are. It has no end: whether it still lets in
//! is stored with the reservation, and asked at each scan.

use domain::id::{ReservationId, ShowId};
use domain::reservation::Reservation;
use domain::ticket::{AdmitRefusal, Entry};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use store::{EnterError, Fault};

use crate::App;
use crate::log::Note;
use crate::problem::Problem;
use crate::token::install_crypto;

const AUDIENCE: &str = "marquee/ticket";

/// The one algorithm that the secret is for.
const ALGORITHM: Algorithm = Algorithm::HS256;

/// Bytes of a ticket. With an id of usual length it has some 200, with the longest some 320; nothing
/// larger is parsed.
const TICKET_BYTES_MAX: usize = 2 * 1024;

#[derive(serde::Serialize, serde::Deserialize)]
struct Claims {
    aud: String,
    sub: ReservationId,
    iat: i64,
}

fn sign(claims: &Claims, secret: &str) -> String {
    install_crypto();
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(ALGORITHM), claims, &key).expect("plain claims can be signed")
}

/// What a ticket says, if we signed it with one of `secrets`. Blanks do not count: mail programs
/// break long lines.
fn verify<'a>(ticket: &str, secrets: impl IntoIterator<Item = &'a str>) -> Option<Claims> {
    if ticket.len() > TICKET_BYTES_MAX {
        return None;
    }
    install_crypto();
    let ticket: String = ticket.split_whitespace().collect();
    let header = jsonwebtoken::decode_header(&ticket).ok()?;
    if header.alg != ALGORITHM || header.crit.is_some() {
        return None;
    }
    let mut validation = Validation::new(ALGORITHM);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["aud", "sub"]);
    validation.validate_exp = false;
    secrets.into_iter().find_map(|secret| {
        let key = DecodingKey::from_secret(secret.as_bytes());
        Some(jsonwebtoken::decode::<Claims>(&ticket, &key, &validation).ok()?.claims)
    })
}

impl App {
    /// The ticket of a booking: the same whenever it is asked for, as long as one secret signs.
    ///
    /// # Errors
    ///
    /// If it is not booked, or nothing is there to sign with.
    pub fn ticket(&self, booking: &Reservation) -> Result<String, Problem> {
        let booked_at = booking.confirmed_at;
        let missing =
            || Fault::Corrupt(format!("a ticket for {}, which is not booked", booking.id));
        let claims = Claims {
            aud: AUDIENCE.to_owned(),
            sub: booking.id.clone(),
            iat: booked_at.ok_or_else(missing)?.timestamp(),
        };
        Ok(sign(&claims, self.ticket_secret()?))
    }

    /// Lets in by `ticket`, at a gate for `show` or for any show: the reservation with its entry.
    /// Safe to repeat. Costs a read, one more unless the show was read in the last 5 seconds, and a
    /// transaction of one item unless that was done before.
    ///
    /// # Errors
    ///
    /// [`Problem::InvalidTicket`]; [`Problem::NotFound`] if its reservation or show is gone;
    /// [`Problem::ShowCancelled`], whether or not the sweep has come by;
    /// [`Problem::WrongShow`], [`Problem::AlreadyEntered`], [`Problem::AlreadyCancelled`]; or a
    /// fault.
    pub async fn scan(
        &self,
        ticket: &str,
        show: Option<&ShowId>,
        scan: &Entry,
    ) -> Result<Reservation, Problem> {
        let secrets = [Some(self.ticket_secret()?), self.previous_ticket_secret()];
        let claims = verify(ticket, secrets.into_iter().flatten()).ok_or(Problem::InvalidTicket)?;
        self.note(Note::Reservation(&claims.sub));
        let booking = self.store.reservation(&claims.sub).await?.ok_or(Problem::NotFound)?;
        self.note(Note::Show(&booking.show_id));
        self.show(&booking.show_id, scan.at).await?.takes_place()?;
        let booking = self.store.enter(booking, show, scan).await?;
        if booking.entry.as_ref() == Some(scan) {
            self.note(Note::Entered);
        }
        Ok(booking)
    }
}

impl From<EnterError> for Problem {
    fn from(error: EnterError) -> Self {
        match error {
            EnterError::Refused(AdmitRefusal::WrongShow) => Self::WrongShow,
            EnterError::Refused(AdmitRefusal::AlreadyEntered(entry)) => Self::AlreadyEntered(entry),
            EnterError::Refused(AdmitRefusal::AlreadyCancelled) => Self::AlreadyCancelled,
            EnterError::Refused(AdmitRefusal::NotBooked) => Self::InvalidTicket,
            EnterError::Fault(fault) => fault.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
    use ring::hmac;

    use super::*;

    const SECRET: &str = "a secret that signs tickets in tests";
    const PREVIOUS: &str = "a secret that signed tickets in tests";

    fn claims(id: &str) -> Claims {
        Claims { aud: AUDIENCE.to_owned(), sub: id.parse().unwrap(), iat: 1_795_000_000 }
    }

    fn reservation_of(ticket: &str) -> Option<String> {
        verify(ticket, [SECRET, PREVIOUS]).map(|claims| claims.sub.to_string())
    }

    #[test]
    fn a_ticket_names_its_reservation_however_its_line_was_broken() {
        let ticket = sign(&claims("r-1"), SECRET);
        let (first, second) = ticket.split_at(40);
        for ticket in [ticket.clone(), format!(" {first}\r\n\t{second}\n")] {
            assert_eq!(reservation_of(&ticket).as_deref(), Some("r-1"), "{ticket:?}");
        }
    }

    #[test]
    fn a_ticket_of_either_secret_is_one() {
        let (new, old) = (sign(&claims("r-1"), SECRET), sign(&claims("r-1"), PREVIOUS));
        for ticket in [&new, &old] {
            assert_eq!(reservation_of(ticket).as_deref(), Some("r-1"));
        }
        assert!(verify(&new, [SECRET]).is_some());
        assert!(verify(&old, [SECRET]).is_none() && verify(&old, []).is_none());
    }

    #[test]
    fn nothing_else_is_a_ticket() {
        let ticket = sign(&claims("r-1"), SECRET);
        let (signed, signature) = ticket.rsplit_once('.').unwrap();
        let (header, payload) = signed.split_once('.').unwrap();
        let other = sign(&claims("r-2"), SECRET);
        let payload_of_other = other.split('.').nth(1).unwrap();
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let by_hs512 = {
            let head = BASE64URL.encode(r#"{"typ":"JWT","alg":"HS512"}"#);
            let key = hmac::Key::new(hmac::HMAC_SHA512, SECRET.as_bytes());
            let tag = hmac::sign(&key, format!("{head}.{payload}").as_bytes());
            format!("{head}.{payload}.{}", BASE64URL.encode(tag))
        };
        let token = Claims { aud: "marquee".to_owned(), ..claims("r-1") };
        let crit = Header { crit: Some(vec!["exp".to_owned()]), ..Header::new(ALGORITHM) };
        for ticket in [
            String::new(),
            signed.to_owned(),
            format!("{signed}."),
            format!("{header}.{payload_of_other}.{signature}"),
            format!("{header}.{payload}.{}", signature.to_lowercase()),
            sign(&claims("r-1"), "another secret that signs something"),
            sign(&token, SECRET),
            by_hs512,
            jsonwebtoken::encode(&crit, &claims("r-1"), &key).unwrap(),
            format!("{ticket}{}", " ".repeat(TICKET_BYTES_MAX)),
        ] {
            assert_eq!(reservation_of(&ticket), None, "{ticket:.80}");
        }
    }

    #[test]
    fn the_longest_ticket_is_parsed() {
        let ticket = sign(&claims(&"r".repeat(128)), SECRET);
        assert!(ticket.len() < TICKET_BYTES_MAX, "{}", ticket.len());
        assert!(reservation_of(&ticket).is_some());
    }
}
