//! Replicated logs: raft groups over TiKV's raft core, sans-IO.
//!
//! Knows terms, votes, entries, snapshots and the storage crate's [`Log`](storage::Log). Must not
//! know what the entries mean, and has no thread, clock, socket or task: time is
//! [`Group::tick`], messages are values that the caller carries.
#![forbid(unsafe_code)]

mod error;
mod group;
mod store;

pub use error::Error;
pub use group::{Committed, Group, NodeId};
/// What groups of one name on different nodes send each other.
pub use raft::eraftpb::Message;
