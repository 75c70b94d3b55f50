//! Payments that nobody tells of.
