//! Sockets: accepts them, speaks TLS on them, and drives a [`broker::Protocol`] with each.
//!
//! Knows: TCP, TLS, the PROXY protocol, read and write buffers, the clock. Must not know: frames of any protocol,
//! queues, files other than certificates.
#![forbid(unsafe_code)]

mod buffers;
mod clock;
mod driver;
mod listener;
mod proxy;
mod tls;

pub use clock::now;
pub use driver::{Socket, drive};
pub use listener::{Accepted, Listener, ListenerOptions, Peer, Serve};
pub use tls::{TlsError, TlsOptions, server_config};
