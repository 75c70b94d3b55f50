//! `POST /api/reservations/confirm`: book what is held, with a payment.

use domain::allowance::PolicyName;
use domain::id::{HoldToken, PaymentReference, ReservationId};
use domain::settlement::Origin;
use edge::{App, Note, Problem, Request, Response, accepted, ok, view};
use store::Settled;

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    hold_token: HoldToken,
    payment_reference: PaymentReference,
}

/// Books the caller's hold if the provider has its money. Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 402 `payment_failed`; 404 `not_found`; 409 `hold_expired`,
/// `already_confirmed`, `already_cancelled`, `show_cancelled`; 422 `payment_mismatch`; 429
/// `rate_limited`; 503 `try_again`. Money that was captured and books nothing is owed back before this answers.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let user = request.user().await?;
    let Body { hold_token, payment_reference } = request.json()?;
    let id = ReservationId::of(&user, &hold_token);
    app.note(Note::HoldToken(&hold_token));
    app.note(Note::Reservation(&id));
    let (reservation, counted) = tokio::join!(
        app.store.reservation(&id),
        app.limit(PolicyName::Confirm, &user, request.now),
    );
    counted?;
    let reservation = reservation?.ok_or(Problem::NotFound)?;
    app.note(Note::Show(&reservation.show_id));
    let payments = app.payments()?;
    if reservation.is_booked_by(payments.name(), &payment_reference) {
        return Ok(ok(&view::reservation(&reservation, request.now)));
    }
    let report = payments.report(&payment_reference).await;
    match app.settle(reservation, &report, Origin::Customer, request.now).await? {
        Settled::Booked { reservation, .. } | Settled::BookedBefore(reservation) => {
            Ok(ok(&view::reservation(&reservation, request.now)))
        }
        Settled::Processing(reservation) => {
            Ok(accepted(&view::reservation(&reservation, request.now)))
        }
        Settled::Declined => Err(Problem::PaymentFailed),
        Settled::NotBooked { reason, .. } | Settled::Returned { reason, .. } => Err(reason.into()),
        Settled::Mismatch => {
            // Whatever it is for, its money is not forgotten.
            app.bring(&report, request.now).await?;
            Err(Problem::PaymentMismatch)
        }
    }
}
