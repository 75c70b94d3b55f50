//! `PUT /api/admin/shows/{showId}/prices`: what the seats of a show cost from now on.

use std::collections::BTreeMap;

use domain::id::{SeatType, ShowId};
use domain::money::Money;
use edge::{App, Problem, Request, Response, ok, tagged, view};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    prices: BTreeMap<SeatType, Money>,
}

/// Prices a show anew. Whoever holds seats pays what they were quoted. Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 404 `not_found`; 409 `show_cancelled`; 412 `precondition_failed`;
/// 422 `invalid_show`; 428 `precondition_required`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let show: ShowId = request.path("showId")?;
    let expected = request.if_match()?;
    let Body { prices } = request.json()?;
    let show = app.update_prices(&show, &prices, expected, request.now).await?;
    Ok(tagged(ok(&view::show(&show)), show.version))
}
