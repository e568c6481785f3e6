//! What operators count: messages by what happened to them, bytes, things that came and went; how fast
//! that goes, and how it went before.
//!
//! Knows: RabbitMQ's counters and their names. Must not know: who counts (connections, queues), sockets,
//! clocks, JSON. Time comes in as an argument.
#![forbid(unsafe_code)]

mod counts;
mod level;
mod node;
mod objects;
mod reading;
mod report;
mod retention;
mod series;
mod statistics;
mod traffic;

pub use counts::{MessageCount, MessageCounts};
pub use node::{AuthAttempts, AuthSource, Churn, Clients, DeadLetterCount};
pub use reading::{Course, Figure, Figures, Range, Ranges};
pub use report::{Other, Pairs, Report, Subject};
pub use retention::{Retention, RetentionPolicies};
pub use statistics::{GlobalCounts, Known, Lengths, NodeGauges, Statistics};
pub use traffic::{DIRECT_REPLIES, QueueTraffic, Traffic};
