//! Composing letters. Their words stand in `templates`, of each letter once in HTML and once in
//! plain text, which says the same.
//!
//! What is put into HTML is escaped, whoever wrote it. Into headers go only addresses, which have
//! no line breaks, and names, which have no control characters.

use std::sync::LazyLock;

use domain::catalog::City;
use domain::email::EmailAddress;
use domain::money::Money;
use domain::payment::RefundReason;
use domain::reservation::{Reservation, Status};
use domain::show::Show;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use store::Fault;

use super::{calendar, qr, wording};

/// What a letter tells.
pub(super) enum News {
    /// The seats are booked.
    Booked {
        /// What they are shown by at the door.
        ticket: String,
    },
    /// They are no more.
    Cancelled {
        /// Why.
        cause: Cause,
        /// What was paid, if anything was.
        paid: Option<Money>,
        /// Whether that went back by now.
        is_back: bool,
    },
    /// Money went back.
    Refunded {
        /// How much.
        money: Money,
        /// Why, if that is known.
        reason: Option<RefundReason>,
    },
}

/// Why a booking is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Its customer cancelled it, or the payer's bank took the money back.
    Customer,
    /// The show will not take place.
    ShowCancelled,
    /// The house needs the seats itself.
    SeatsNeeded,
}

/// What a letter is about.
pub(super) struct Subject<'a> {
    /// The reservation, as it is now.
    pub(super) reservation: &'a Reservation,
    /// Its show.
    pub(super) show: &'a Show,
    /// Where that is.
    pub(super) city: &'a City,
}

/// A letter.
#[derive(Debug)]
pub(super) struct Draft {
    /// To whom.
    pub(super) to: EmailAddress,
    /// Its subject line.
    pub(super) subject: String,
    /// What it says.
    pub(super) text: String,
    /// The same, to look at.
    pub(super) html: String,
    /// What comes with it.
    pub(super) enclosures: Vec<Enclosure>,
}

/// A file that comes with a letter.
#[derive(Debug)]
pub(super) struct Enclosure {
    /// What it is called.
    pub(super) file_name: &'static str,
    /// What it is.
    pub(super) content_type: &'static str,
    /// How the letter shows it, if it does.
    pub(super) content_id: Option<&'static str>,
    /// What is in it.
    pub(super) content: Vec<u8>,
}

/// By which the letter shows the ticket's picture.
const TICKET_CONTENT_ID: &str = "ticket";

const SOURCES: [(&str, &str); 10] = [
    ("frame.html.jinja", include_str!("templates/frame.html.jinja")),
    ("frame.txt.jinja", include_str!("templates/frame.txt.jinja")),
    ("details.html.jinja", include_str!("templates/details.html.jinja")),
    ("details.txt.jinja", include_str!("templates/details.txt.jinja")),
    ("booked.html.jinja", include_str!("templates/booked.html.jinja")),
    ("booked.txt.jinja", include_str!("templates/booked.txt.jinja")),
    ("cancelled.html.jinja", include_str!("templates/cancelled.html.jinja")),
    ("cancelled.txt.jinja", include_str!("templates/cancelled.txt.jinja")),
    ("refunded.html.jinja", include_str!("templates/refunded.html.jinja")),
    ("refunded.txt.jinja", include_str!("templates/refunded.txt.jinja")),
];

/// The templates, parsed once. What ends in `.html.jinja` is escaped.
static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    // A misspelt name fails in the tests, and does not leave a gap in a letter.
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build();
    templates.set_syntax(syntax.expect("the delimiters are the usual ones"));
    for (name, source) in SOURCES {
        templates.add_template(name, source).expect("tests parse every template");
    }
    templates
});

/// Writes a letter.
///
/// # Errors
///
/// If the city has no zone that is known, or a template asks for what nobody gives it.
pub(super) fn write(to: EmailAddress, news: &News, about: &Subject<'_>) -> Result<Draft, Fault> {
    let Subject { reservation, show, city } = *about;
    let film = show.movie.title.as_str();
    let (letter, subject, own, enclosures) = match news {
        News::Booked { ticket } => {
            let code = qr::picture(ticket);
            let own = context! {
                ticket => ticket.as_str(),
                side_pixels => code.side_pixels,
                content_id => TICKET_CONTENT_ID,
            };
            let enclosures =
                vec![picture(code.png), entry(calendar::file(reservation, show, city))];
            ("booked", format!("Your ticket: {film}"), own, enclosures)
        }
        News::Cancelled { cause, paid, is_back } => {
            let own = context! {
                show_cancelled => *cause == Cause::ShowCancelled,
                seats_needed => *cause == Cause::SeatsNeeded,
                paid => paid.map(wording::amount),
                is_back => *is_back,
            };
            let subject = match cause {
                Cause::ShowCancelled => "The show was cancelled",
                Cause::SeatsNeeded => "Your seats are not available any more",
                Cause::Customer => "Booking cancelled",
            };
            ("cancelled", format!("{subject}: {film}"), own, Vec::new())
        }
        News::Refunded { money, reason } => {
            let amount = wording::amount(*money);
            let subject = format!("Refund of {amount}: {film}");
            let own = context! {
                amount => amount,
                reason => reason.map(wording::reason),
                stands => reservation.status == Status::Confirmed,
            };
            ("refunded", subject, own, Vec::new())
        }
    };
    let values = context! {
        subject => subject.as_str(),
        film => film,
        starts_at => wording::local(show.starts_at, city)?,
        place => wording::place(show, city),
        version => format!("{}, {}", show.language, show.screen_type),
        seats => wording::seats(reservation),
        seat_count => reservation.seats.len(),
        price => wording::amount(reservation.amount),
        booking => reservation.id.as_str(),
        ..own
    };
    let text = render(&format!("{letter}.txt.jinja"), &values)?;
    let html = render(&format!("{letter}.html.jinja"), &values)?;
    Ok(Draft { to, subject, text, html, enclosures })
}

fn render(name: &str, values: &Value) -> Result<String, Fault> {
    let template = TEMPLATES.get_template(name);
    let rendered = template.and_then(|template| template.render(values));
    rendered.map_err(|error| Fault::Corrupt(format!("the letter {name}: {error}")))
}

fn picture(png: Vec<u8>) -> Enclosure {
    Enclosure {
        file_name: "ticket.png",
        content_type: "image/png",
        content_id: Some(TICKET_CONTENT_ID),
        content: png,
    }
}

fn entry(calendar: String) -> Enclosure {
    Enclosure {
        file_name: "ticket.ics",
        content_type: "text/calendar",
        content_id: None,
        content: calendar.into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain::show::{AuditoriumRef, MovieRef, PriceList, TheatreRef};
    use domain::time::Timestamp;

    use super::*;

    const TITLE: &str = r#"<b>"Tom & Jerry"</b>"#;

    fn name(text: &str) -> domain::catalog::Name {
        text.to_owned().try_into().unwrap()
    }

    fn show(starts_at: Timestamp) -> Show {
        Show {
            id: "s-1".parse().unwrap(),
            movie: MovieRef { id: "tom".parse().unwrap(), title: name(TITLE) },
            theatre: TheatreRef { id: "regal".parse().unwrap(), name: name("Regal; Delhi") },
            auditorium: AuditoriumRef {
                id: "a-1".parse().unwrap(),
                name: name("Screen 1"),
                layout_version: 1,
            },
            city_id: "delhi".parse().unwrap(),
            date: "2026-11-23".parse().unwrap(),
            starts_at,
            ends_at: starts_at + TimeDelta::hours(2),
            language: "English".to_owned(),
            screen_type: "2D".to_owned(),
            prices: PriceList::new("INR".parse().unwrap(), [].into()).unwrap(),
            status: domain::show::Status::OnSale,
            time_zone: "Asia/Kolkata".to_owned(),
            seat_count: 0,
            orphan_rule: domain::show::OrphanRule::Off,
            accessible_released: false,
            opened_at: Some(starts_at),
            version: 1,
        }
    }

    fn reservation(show: &Show, status: Status) -> Reservation {
        let seat = |seat: &str| domain::reservation::PricedSeat {
            seat_id: seat.parse().unwrap(),
            section_id: "MAIN".parse().unwrap(),
            seat_type: "REGULAR".parse().unwrap(),
            price: inr(45_000),
        };
        Reservation {
            id: "r-1".parse().unwrap(),
            user_id: "ann".to_owned().try_into().unwrap(),
            email: None,
            hold_token: "t1".parse().unwrap(),
            show_id: show.id.clone(),
            show_starts_at: show.starts_at,
            seats: vec![seat("A1"), seat("A2")],
            amount: inr(90_000),
            status,
            expires_at: show.starts_at,
            extended: false,
            created_at: show.starts_at - TimeDelta::days(1),
            confirmed_at: Some(show.starts_at - TimeDelta::hours(23)),
            cancelled_at: None,
            payment: None,
            entry: None,
        }
    }

    fn inr(minor: u64) -> Money {
        Money::new(minor, "INR".parse().unwrap()).unwrap()
    }

    fn draft(news: &News, status: Status) -> Draft {
        let show = show("2026-11-23T06:30:00Z".parse().unwrap());
        let city = City::new(name("Delhi"), "Asia/Kolkata".to_owned()).unwrap();
        let reservation = reservation(&show, status);
        let about = Subject { reservation: &reservation, show: &show, city: &city };
        write("ann@example.com".parse().unwrap(), news, &about).unwrap()
    }

    fn cancelled(cause: Cause, paid: Option<Money>, is_back: bool) -> News {
        News::Cancelled { cause, paid, is_back }
    }

    fn refunded(reason: Option<RefundReason>) -> News {
        News::Refunded { money: inr(90_000), reason }
    }

    #[test]
    fn a_letter_reads_well_without_its_looks() {
        let booked = draft(&News::Booked { ticket: "a.b.c".to_owned() }, Status::Confirmed);
        let expected = r#"Enjoy the show. Your booking is paid and confirmed.

  <b>"Tom & Jerry"</b> (English, 2D)
  Monday, 23 November 2026, 12:00 IST
  Regal; Delhi, Screen 1, Delhi
  Seats A1, A2, INR 900.00
  Booking r-1

Show the code in ticket.png at the entrance. It lets in all 2 seats, once.

The same ticket as text, if the code cannot be shown:

a.b.c

--
Marquee
You get this letter because of a booking with your account. Please do not
answer it; nobody reads what is sent to its sender.
"#;
        assert_eq!(booked.text, expected);
        let refund = draft(&refunded(Some(RefundReason::BookingCancelled)), Status::Cancelled);
        let first = refund.text.lines().next().unwrap();
        assert_eq!(
            first,
            "We sent INR 900.00 back to where it came from. You cancelled the booking. \
             Banks take some days to show it."
        );
    }

    /// Goal: each letter says what it is about, and titles are text in HTML too. Method: all there
    /// are, about a film whose title is made of what HTML means something by.
    #[test]
    fn every_letter_is_about_its_booking_and_escapes_what_it_quotes() {
        let letters = [
            (News::Booked { ticket: "a.b.c".to_owned() }, "Your ticket: "),
            (cancelled(Cause::ShowCancelled, Some(inr(1)), false), "The show was cancelled: "),
            (cancelled(Cause::ShowCancelled, Some(inr(1)), true), "The show was cancelled: "),
            (
                cancelled(Cause::SeatsNeeded, Some(inr(1)), true),
                "Your seats are not available any more: ",
            ),
            (cancelled(Cause::Customer, None, false), "Booking cancelled: "),
            (refunded(None), "Refund of INR 900.00: "),
            (refunded(Some(RefundReason::SecondPayment)), "Refund of INR 900.00: "),
        ];
        for (news, subject) in &letters {
            for status in [Status::Confirmed, Status::Cancelled] {
                let Draft { subject: line, text, html, .. } = draft(news, status);
                assert_eq!(line, format!("{subject}{TITLE}"));
                assert!(
                    text.contains(TITLE) && text.contains("Seats A1, A2, INR 900.00"),
                    "{text}"
                );
                assert!(html.contains("Tom &amp; Jerry&quot;&lt;"), "{html}");
                assert!(!html.contains("<b>") && html.ends_with("</html>\n"), "{html}");
            }
        }
    }

    #[test]
    fn a_cancellation_says_where_the_money_is() {
        let says = |paid, is_back| {
            let letter = draft(&cancelled(Cause::ShowCancelled, paid, is_back), Status::Cancelled);
            let said = |text: &str| (text.contains("goes back"), text.contains("went back"));
            assert_eq!(said(&letter.text), said(&letter.html), "{}", letter.text);
            said(&letter.text)
        };
        assert_eq!(says(Some(inr(1)), false), (true, false));
        assert_eq!(says(Some(inr(1)), true), (false, true));
        assert_eq!(says(None, false), (false, false));
    }

    #[test]
    fn a_refund_of_a_second_payment_says_that_the_booking_stands() {
        let refund = refunded(Some(RefundReason::SecondPayment));
        assert!(draft(&refund, Status::Confirmed).text.contains("Your booking stands"));
        assert!(!draft(&refund, Status::Cancelled).text.contains("Your booking stands"));
    }

    #[test]
    fn a_calendar_is_what_calendars_read() {
        let booked = draft(&News::Booked { ticket: "a.b.c".to_owned() }, Status::Confirmed);
        let [picture, calendar] = &booked.enclosures[..] else { panic!("{booked:?}") };
        assert_eq!(picture.content_id, Some("ticket"));
        let expected = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Marquee//Tickets//EN",
            "BEGIN:VEVENT",
            "DESCRIPTION:Seats: A1\\, A2",
            "DTEND:20261123T083000Z",
            "DTSTAMP:20261122T073000Z",
            "DTSTART:20261123T063000Z",
            "LOCATION:Regal\\; Delhi\\, Screen 1\\, Delhi",
            "SUMMARY:<b>\"Tom & Jerry\"</b>",
            "UID:r-1@marquee",
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ];
        assert_eq!(calendar.content, expected.join("\r\n").into_bytes());
    }
}
