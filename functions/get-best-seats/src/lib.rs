//! `GET /api/shows/{showId}/seats/best?count=&seatType=&section=&accessible=`: seats to propose.

use domain::id::{SeatType, SectionId, ShowId};
use domain::limits::SEATS_PER_HOLD_MAX;
use domain::seat_choice::Wanted;
use edge::{App, Note, Problem, Request, Response, ok, view};

/// Proposes free seats side by side, near the focal point, so that no single seat is left alone;
/// none, if there are not so many. It holds nothing.
///
/// # Errors
///
/// 400 `invalid_request`; 404 `not_found` for the show or the section; 409 `show_not_on_sale`,
/// `show_cancelled`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let show_id: ShowId = request.path("showId")?;
    app.note(Note::Show(&show_id));
    let wanted = wanted(&request)?;
    let show = app.show(&show_id, request.now).await?;
    show.sells_at(request.now)?;
    let layout = app.layout(&show, request.now).await?;
    let quote = app.best_seats(&show, &layout, &wanted, request.now).await?;
    Ok(ok(&view::best_seats(&show, &layout, quote.as_ref())))
}

fn wanted(request: &Request) -> Result<Wanted, Problem> {
    let count = request.required_query("count")?.parse().ok();
    let count = count.filter(|count| (1..=SEATS_PER_HOLD_MAX).contains(count));
    let seat_type = request.query("seatType").map(str::parse::<SeatType>).transpose();
    let section = request.query("section").map(str::parse::<SectionId>).transpose();
    let invalid = Problem::Invalid;
    Ok(Wanted {
        count: count.ok_or_else(|| invalid(format!("`count` is not 1 to {SEATS_PER_HOLD_MAX}")))?,
        seat_type: seat_type.map_err(|error| invalid(format!("`seatType`: {error}")))?,
        // What cannot be an id is the id of nothing.
        section: section.map_err(|_| Problem::NotFound)?,
        needs_accessible: match request.query("accessible") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(invalid("`accessible` is neither true nor false".to_owned())),
        },
    })
}
