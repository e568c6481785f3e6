//! The in-memory log.
