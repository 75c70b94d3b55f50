//! `POST /api/reservations/checkout`.
