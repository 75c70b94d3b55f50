//! `POST /api/reservations/checkout`: a payment for what is held, for a browser to pay.

use domain::allowance::PolicyName;
use domain::id::{HoldToken, ReservationId};
use domain::payment::{Outcome, Progress, Report};
use domain::reservation::Command;
use domain::settlement::Origin;
use edge::{App, Note, Problem, Request, Response, ok, view};
use store::{Fault, Settled};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    hold_token: HoldToken,
}

/// Makes the provider's payment for exactly what the caller holds, and lengthens the hold once. Safe
/// to repeat: a hold has one payment.
///
/// # Errors
///
/// 400 `invalid_request`; 404 `not_found`; 409 `hold_expired`, `already_confirmed`,
/// `already_cancelled`, `show_cancelled`; 422 `payment_mismatch`; 429 `rate_limited`; 500 `internal` if
/// the provider refuses; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let user = request.user().await?;
    let Body { hold_token } = request.json()?;
    let id = ReservationId::of(&user, &hold_token);
    app.note(Note::HoldToken(&hold_token));
    app.note(Note::Reservation(&id));
    let (reservation, counted) = tokio::join!(
        app.store.reservation(&id),
        app.limit(PolicyName::Checkout, &user, request.now),
    );
    counted?;
    let reservation = reservation?.ok_or(Problem::NotFound)?;
    app.note(Note::Show(&reservation.show_id));
    reservation.status.apply(Command::Confirm, reservation.is_live_at(request.now))?;
    app.show(&reservation.show_id, request.now).await?.takes_place()?;

    let payments = app.payments()?;
    let checkout = payments.checkout(&reservation).await?;
    let report = Report {
        provider: payments.name().clone(),
        reference: checkout.reference.clone(),
        outcome: Outcome::Known {
            reservation_id: Some(id),
            money: reservation.amount,
            progress: Progress::Processing,
        },
    };
    // Written down before anybody can pay it, so that a payment nobody tells of is asked for.
    match app.settle(reservation, &report, Origin::Customer, request.now).await? {
        Settled::Processing(reservation) => {
            Ok(ok(&view::checkout(payments.name(), &checkout, &reservation)))
        }
        Settled::Booked { .. } | Settled::BookedBefore(_) => Err(Problem::AlreadyConfirmed),
        Settled::NotBooked { reason, .. } | Settled::Returned { reason, .. } => Err(reason.into()),
        Settled::Mismatch => Err(Problem::PaymentMismatch),
        // What is in progress is not declined, not even by an earlier try.
        Settled::Declined => Err(Problem::TryAgain(Fault::Contended)),
    }
}
