//! Payment events from the queue.
