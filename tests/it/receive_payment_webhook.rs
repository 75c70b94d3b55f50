//! `POST /api/payments/webhooks/{provider}`.
