//! `GET /api/shows/{showId}/seats`: which seats can be had.

use std::collections::HashMap;

use domain::id::SeatId;
use domain::layout::{Layout, Section};
use domain::limits::SEAT_MAP_SEATS_MAX;
use domain::seat::Status;
use domain::show::Show;
use edge::{App, Note, Problem, Request, Response, ok_or_not_modified, view};

/// Shows every seat of a show, or of its section `?section=`; of a show that is too large for one
/// answer, how many seats of each section can be had.
///
/// # Errors
///
/// 404 `not_found`, 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let show_id = request.path("showId")?;
    app.note(Note::Show(&show_id));
    let show = app.show(&show_id, request.now).await?;
    let layout = app.layout(&show, request.now).await?;
    match request.query("section") {
        Some(id) => {
            let section = layout.section(id).ok_or(Problem::NotFound)?;
            seats(&app, &request, &show, &layout, std::slice::from_ref(section)).await
        }
        None if layout.seat_count() <= SEAT_MAP_SEATS_MAX => {
            seats(&app, &request, &show, &layout, layout.sections()).await
        }
        None => {
            let ids = layout.sections().iter().map(|section| &section.id);
            let taken = app.store.taken_counts(&show.id, ids, request.now).await?;
            Ok(ok_or_not_modified(&request, &view::sections(&show, &layout, &taken)))
        }
    }
}

async fn seats(
    app: &App,
    request: &Request,
    show: &Show,
    layout: &Layout,
    sections: &[Section],
) -> Result<Response, Problem> {
    let ids = sections.iter().map(|section| &section.id);
    let taken = app.store.taken_seats(&show.id, ids, request.now).await?;
    let taken: HashMap<SeatId, Status> =
        taken.into_iter().map(|taken| (taken.seat_id, taken.status)).collect();
    let status = |seat: &SeatId| taken.get(seat).copied().unwrap_or(Status::Available);
    let places = sections.iter().flat_map(Section::places);
    Ok(ok_or_not_modified(request, &view::seat_map(show, layout, places, status)))
}
