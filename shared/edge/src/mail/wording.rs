//! How money, times, places and reasons read in a letter.

use chrono_tz::Tz;
use domain::catalog::City;
use domain::id::SeatId;
use domain::money::{Currency, Money};
use domain::payment::RefundReason;
use domain::reservation::Reservation;
use domain::show::Show;
use domain::time::Timestamp;
use store::Fault;

/// Decimals of a currency, by ISO 4217.
fn decimals(currency: Currency) -> usize {
    match currency.as_str() {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _others => 2,
    }
}

/// An amount as everybody can read it: `INR 450.00`, `JPY 1800`.
pub(super) fn amount(money: Money) -> String {
    let (currency, decimals) = (money.currency(), decimals(money.currency()));
    let digits = format!("{:0>width$}", money.minor(), width = decimals + 1);
    let (whole, part) = digits.split_at(digits.len() - decimals);
    let point = if part.is_empty() { "" } else { "." };
    format!("{} {whole}{point}{part}", currency.as_str())
}

/// An instant by the clocks of a city, with their zone's name:
/// `Monday, 23 November 2026, 12:00 IST`.
///
/// # Errors
///
/// If the city has no zone that is known.
pub(super) fn local(instant: Timestamp, city: &City) -> Result<String, Fault> {
    let unknown = |_| Fault::Corrupt(format!("city {}: `time_zone` is malformed", city.id));
    let zone: Tz = city.time_zone.parse().map_err(unknown)?;
    let there = instant.with_timezone(&zone);
    let name = there.format("%Z").to_string();
    let has_letters = name.starts_with(|first: char| first.is_ascii_alphabetic());
    // Some zones have no name but their distance.
    let zone = if has_letters { name } else { there.format("UTC%:z").to_string() };
    Ok(format!("{} {zone}", there.format("%A, %-d %B %Y, %H:%M")))
}

/// Where a show is: theatre, auditorium and city.
pub(super) fn place(show: &Show, city: &City) -> String {
    format!(
        "{}, {}, {}",
        show.theatre.name.as_str(),
        show.auditorium.name.as_str(),
        city.name.as_str()
    )
}

/// The seats of a booking.
pub(super) fn seats(booking: &Reservation) -> String {
    booking.seat_ids().map(SeatId::as_str).collect::<Vec<_>>().join(", ")
}

/// Why money went back, as its payer is told.
pub(super) fn reason(reason: RefundReason) -> &'static str {
    match reason {
        RefundReason::HoldExpired => "It was paid when the time to pay was over.",
        RefundReason::SeatsTaken => {
            "It was paid when the time to pay was over, and the seats were taken by then."
        }
        RefundReason::ShowBegun => "It was paid when the show had begun.",
        RefundReason::ShowCancelled => "The theatre cancelled the show.",
        RefundReason::SeatsBlocked => "The theatre needs the seats itself.",
        RefundReason::SecondPayment => "The seats had been paid for by another payment.",
        RefundReason::PaidAfterCancel => "It was paid when the seats had been given up.",
        RefundReason::BookingCancelled => "You cancelled the booking.",
        RefundReason::WrongAmount => "It was not the amount that was asked for.",
        RefundReason::ReturnedByProvider => "The theatre or your bank sent it back.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn city(zone: &str) -> City {
        City::new("Delhi".to_owned().try_into().unwrap(), zone.to_owned()).unwrap()
    }

    #[test]
    fn amounts_have_as_many_decimals_as_their_currency() {
        for (minor, letters, expected) in [
            (45_000, "INR", "INR 450.00"),
            (5, "EUR", "EUR 0.05"),
            (0, "USD", "USD 0.00"),
            (1_800, "JPY", "JPY 1800"),
            (0, "KRW", "KRW 0"),
            (5_120, "KWD", "KWD 5.120"),
            (7, "TND", "TND 0.007"),
            (12_345, "CLF", "CLF 1.2345"),
        ] {
            let money = Money::new(minor, letters.parse().unwrap()).unwrap();
            assert_eq!(amount(money), expected);
        }
    }

    #[test]
    fn a_time_is_that_of_the_citys_clocks_and_names_their_zone() {
        for (instant, zone, expected) in [
            ("2026-11-23T06:30:00Z", "Asia/Kolkata", "Monday, 23 November 2026, 12:00 IST"),
            ("2026-11-22T18:30:00Z", "Asia/Kolkata", "Monday, 23 November 2026, 00:00 IST"),
            ("2026-07-01T18:00:00Z", "Europe/London", "Wednesday, 1 July 2026, 19:00 BST"),
            ("2026-12-01T18:00:00Z", "Europe/London", "Tuesday, 1 December 2026, 18:00 GMT"),
            (
                "2026-12-01T18:00:00Z",
                "America/Sao_Paulo",
                "Tuesday, 1 December 2026, 15:00 UTC-03:00",
            ),
        ] {
            let instant = instant.parse().unwrap();
            assert_eq!(local(instant, &city(zone)).unwrap(), expected);
        }
        let nowhere = City { time_zone: "Mars/Olympus".to_owned(), ..city("UTC") };
        assert!(local("2026-12-01T18:00:00Z".parse().unwrap(), &nowhere).is_err());
    }
}
