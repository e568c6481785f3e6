//! Whole histories of a broker, in one thread and by a seed: clients that speak AMQP 0-9-1 to the
//! real front-end, the real broker, journal and control plane, on a disk that loses power.
//!
//! Time is a number here, and every choice (who acts, what the disk does, when it fails) comes from
//! the seed: the same seed gives the same history, line by line. What clients were promised is
//! kept in a [`Ledger`] and held against what the broker has after each restart.
//!
//! Knows everything; nothing but tests may know it: the durability tests hold the real process to the
//! same ledger.
#![forbid(unsafe_code)]

mod actor;
mod chance;
mod founder;
mod history;
mod ledger;
mod link;
mod queues;
mod tries;
mod world;

pub use chance::Chance;
pub use history::{History, Outcome, run};
pub use ledger::{Coverage, Id, Ledger, Sent};
pub use queues::{Argument, QueueName};
pub use tries::{Counts, Tried};
