//! What operators count: messages by what happened to them, bytes, things that came and went; how fast
//! that goes, and how it went before.
//!
//! Knows: RabbitMQ's counters and their names. Must not know: who counts (connections, queues), sockets,
//! clocks, JSON. Time comes in as an argument.
#![forbid(unsafe_code)]

mod counts;
mod node;
mod traffic;

pub use counts::{MessageCount, MessageCounts};
pub use node::{AuthAttempts, AuthSource, Churn, Clients, DeadLetterCount};
pub use traffic::{DIRECT_REPLIES, QueueTraffic, Traffic};
