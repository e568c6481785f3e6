//! Replicated logs: raft groups over TiKV's raft core, sans-IO.
//!
//! Knows terms, votes, entries, snapshots and the storage crate's [`Log`](storage::Log). Must not
//! know what the entries mean, and has no thread, clock, socket or task: time is
//! [`Group::tick`], messages are values that the caller carries.
//!
//! [`Group`] keeps its own log and is for few: the control plane. [`Member`] leaves the log to its
//! caller and is for many: queues.
#![forbid(unsafe_code)]

mod error;
mod group;
mod member;
mod record;
mod store;
mod terms;

pub use error::Error;
pub use group::{Committed, Group, NodeId};
pub use member::{Member, Save};
/// What groups of one name on different nodes send each other.
pub use raft::eraftpb::Message;
pub use record::Record;
pub use terms::Terms;
