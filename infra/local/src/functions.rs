//! The functions by their logical ids in `template.yaml`.

use edge::{App, Function, function, outbox, queue, schedule, stream};

/// The function of this logical id, over `app`.
#[must_use]
pub fn by_id(id: &str, app: &App) -> Option<Function> {
    let found = match id {
        "ListCities" => function(app, "list-cities", list_cities::handle),
        "ListMovies" => function(app, "list-movies", list_movies::handle),
        "SearchShows" => function(app, "search-shows", search_shows::handle),
        "GetShow" => function(app, "get-show", get_show::handle),
        "GetSeatMap" => function(app, "get-seat-map", get_seat_map::handle),
        "HoldSeats" => function(app, "hold-seats", hold_seats::handle),
        "CheckoutReservation" => {
            function(app, "checkout-reservation", checkout_reservation::handle)
        }
        "ConfirmReservation" => function(app, "confirm-reservation", confirm_reservation::handle),
        "ScanTicket" => function(app, "scan-ticket", scan_ticket::handle),
        "CancelShow" => function(app, "cancel-show", cancel_show::handle),
        "GetShowCancellation" => {
            function(app, "get-show-cancellation", get_show_cancellation::handle)
        }
        "ListEvents" => function(app, "list-events", list_events::handle),
        "CreateSubscription" => function(app, "create-subscription", create_subscription::handle),
        "ListSubscriptions" => function(app, "list-subscriptions", list_subscriptions::handle),
        "DeleteSubscription" => function(app, "delete-subscription", delete_subscription::handle),
        "RotateSubscriptionSecret" => {
            function(app, "rotate-subscription-secret", rotate_subscription_secret::handle)
        }
        "EnableSubscription" => function(app, "enable-subscription", enable_subscription::handle),
        "ReleaseExpiredHolds" => {
            outbox(app, "release-expired-holds", release_expired_holds::handle)
        }
        "SweepCancelledShows" => queue(app, "sweep-cancelled-shows", sweep_cancelled_shows::handle),
        "PublishEvents" => outbox(app, "publish-events", publish_events::handle),
        "DeliverEvents" => queue(app, "deliver-events", deliver_events::handle),
        "SendEmails" => queue(app, "send-emails", send_emails::handle),
        "CancelReservation" => function(app, "cancel-reservation", cancel_reservation::handle),
        "GetReservation" => function(app, "get-reservation", get_reservation::handle),
        "ListReservations" => function(app, "list-reservations", list_reservations::handle),
        "ReceivePaymentWebhook" => {
            function(app, "receive-payment-webhook", receive_payment_webhook::handle)
        }
        "ProcessPaymentEvents" => {
            queue(app, "process-payment-events", process_payment_events::handle)
        }
        "RefundPayments" => stream(app, "refund-payments", refund_payments::handle),
        "ReconcilePayments" => schedule(app, "reconcile-payments", reconcile_payments::handle),
        _unknown => return None,
    };
    Some(found)
}
