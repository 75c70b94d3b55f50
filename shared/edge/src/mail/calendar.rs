//! A booking in a calendar (RFC 5545).

use domain::catalog::City;
use domain::reservation::Reservation;
use domain::show::Show;
use icalendar::{Calendar, Component as _, Event, EventLike as _, Property};

use super::wording;

/// The show of `booking` as a calendar's file. Its UID and its time are the booking's, so a letter
/// that comes twice makes one entry. It has no alarm: when to leave is for others to know. It has
/// no method either, which would want an organizer (RFC 5546, section 3.2.1).
pub(super) fn file(booking: &Reservation, show: &Show, city: &City) -> String {
    let event = Event::new()
        .uid(&format!("{}@marquee", booking.id))
        .timestamp(booking.confirmed_at.unwrap_or(booking.created_at))
        .starts(show.starts_at)
        .ends(show.ends_at)
        .summary(show.movie.title.as_str())
        .location(&wording::place(show, city))
        .description(&format!("Seats: {}", wording::seats(booking)))
        .done();
    Calendar::empty()
        .append_property(Property::new("VERSION", "2.0"))
        .append_property(Property::new("PRODID", "-//Marquee//Tickets//EN"))
        .push(event)
        .to_string()
}
