//! The books.
