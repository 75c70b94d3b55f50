//! The functions by their logical ids in `template.yaml`.

use edge::{App, Function, digest, function, outbox, queue, schedule, stream};

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
        "CountAvailableSeats" => {
            digest(app, "count-available-seats", count_available_seats::handle)
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
        _of_the_house => return of_the_house(id, app),
    };
    Some(found)
}

/// The functions of the house: its catalogue and its books.
fn of_the_house(id: &str, app: &App) -> Option<Function> {
    let found = match id {
        "CreateCity" => function(app, "create-city", create_city::handle),
        "GetCity" => function(app, "get-city", get_city::handle),
        "UpdateCity" => function(app, "update-city", update_city::handle),
        "DeleteCity" => function(app, "delete-city", delete_city::handle),
        "CreateMovie" => function(app, "create-movie", create_movie::handle),
        "ListAllMovies" => function(app, "list-all-movies", list_all_movies::handle),
        "GetMovie" => function(app, "get-movie", get_movie::handle),
        "UpdateMovie" => function(app, "update-movie", update_movie::handle),
        "DeleteMovie" => function(app, "delete-movie", delete_movie::handle),
        "CreateTheatre" => function(app, "create-theatre", create_theatre::handle),
        "ListTheatres" => function(app, "list-theatres", list_theatres::handle),
        "GetTheatre" => function(app, "get-theatre", get_theatre::handle),
        "UpdateTheatre" => function(app, "update-theatre", update_theatre::handle),
        "DeleteTheatre" => function(app, "delete-theatre", delete_theatre::handle),
        "CreateAuditorium" => function(app, "create-auditorium", create_auditorium::handle),
        "ListAuditoriums" => function(app, "list-auditoriums", list_auditoriums::handle),
        "GetAuditorium" => function(app, "get-auditorium", get_auditorium::handle),
        "UpdateAuditorium" => function(app, "update-auditorium", update_auditorium::handle),
        "DeleteAuditorium" => function(app, "delete-auditorium", delete_auditorium::handle),
        "AddLayout" => function(app, "add-layout", add_layout::handle),
        "GetLayout" => function(app, "get-layout", get_layout::handle),
        "CreateShow" => function(app, "create-show", create_show::handle),
        "UpdateShow" => function(app, "update-show", update_show::handle),
        "DeleteShow" => function(app, "delete-show", delete_show::handle),
        "LoadSchedule" => function(app, "load-schedule", load_schedule::handle),
        "UpdatePrices" => function(app, "update-prices", update_prices::handle),
        "GetBlockedSeats" => function(app, "get-blocked-seats", get_blocked_seats::handle),
        "UpdateBlockedSeats" => function(app, "update-blocked-seats", update_blocked_seats::handle),
        "GetBestSeats" => function(app, "get-best-seats", get_best_seats::handle),
        "AuditShow" => function(app, "audit-show", audit_show::handle),
        "GetShowSales" => function(app, "get-show-sales", get_show_sales::handle),
        _unknown => return None,
    };
    Some(found)
}
