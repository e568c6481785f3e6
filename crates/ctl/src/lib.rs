//! The operators' command line: `rabbitmqctl`, `rabbitmq-diagnostics` and their kin, and the half
//! of it that answers inside a running broker.
//!
//! Knows: RabbitMQ's commands, flags, texts, columns, output formats and exit codes; a private
//! protocol of length-prefixed JSON over a Unix socket in the data directory.
//!
//! Must not know: how the broker does what it is asked; [`Operator`] is all it sees. No tokio: a
//! command must be over in milliseconds.
#![forbid(unsafe_code)]

pub mod operator;
mod term;

pub use operator::{Operator, Refusal};
pub use term::Term;
