//! `POST /api/reservations/hold`: claim seats for a few minutes.

use domain::id::{HoldToken, ReservationId, SeatId, ShowId};
use domain::reservation::{Reservation, Status};
use domain::seats::Seats;
use domain::show::{Quote, Show};
use edge::{App, Note, Problem, Request, Response, created, view};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    show_id: ShowId,
    seat_ids: Vec<SeatId>,
    hold_token: HoldToken,
    /// Whether somebody among them needs an accessible seat.
    #[serde(default)]
    accessible: bool,
}

/// Holds the seats named in the body for the caller, all or none.
///
/// # Errors
///
/// 400 `invalid_request`; 404 `not_found` for the show; 409 `seats_unavailable`,
/// `show_not_on_sale`, `show_cancelled`, and `hold_expired` or `already_cancelled` where the token
/// stands for a hold that is over; 422 `too_many_seats`, `duplicate_seats`, `unknown_seats`,
/// `accessible_seats`, `orphan_seats`, `hold_token_reused`; 429 `rate_limited`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let (user, email) = request.customer().await?;
    let Body { show_id, seat_ids, hold_token, accessible } = request.json()?;
    app.note(Note::Show(&show_id));
    app.note(Note::HoldToken(&hold_token));
    let seats = Seats::try_from(seat_ids)?;
    let id = ReservationId::of(&user, &hold_token);
    app.note(Note::Reservation(&id));
    app.limit_hold_tries(&user, request.now)?;
    let show = app.show(&show_id, request.now).await?;
    let (reservation, orphans) = match offer(&app, &request, &show, &seats, accessible).await {
        Ok((quote, orphans)) => {
            let wanted = Reservation {
                id,
                user_id: user,
                email,
                hold_token,
                show_id,
                show_starts_at: show.starts_at,
                seats: quote.seats,
                amount: quote.amount,
                status: Status::Pending,
                expires_at: app.hold_terms().end(request.now),
                extended: false,
                created_at: request.now,
                confirmed_at: None,
                cancelled_at: None,
                payment: None,
                entry: None,
            };
            (app.hold(&wanted, request.now).await?, orphans)
        }
        // It may have sold when this hold was made: a retry gets the first answer.
        Err(problem) => {
            let before = app.store.held_before(&id, &show_id, &seats, request.now).await?;
            (before.ok_or(problem)?, Vec::new())
        }
    };
    Ok(created(&view::held(&reservation, &orphans, request.now)))
}

/// What the seats cost now, if the show sells them now, and which others they leave alone.
async fn offer(
    app: &App,
    request: &Request,
    show: &Show,
    seats: &Seats,
    accessible: bool,
) -> Result<(Quote, Vec<SeatId>), Problem> {
    show.sells_at(request.now)?;
    let layout = app.layout(show, request.now).await?;
    let quote = show.quote(seats, &layout)?;
    let orphans = app.check_choice(show, &layout, seats, accessible, request.now).await?;
    Ok((quote, orphans))
}
