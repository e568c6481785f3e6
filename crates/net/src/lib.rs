//! Sockets: accepts them, speaks TLS on them, and drives a [`broker::Protocol`] or an HTTP service with each.
//!
//! Knows: TCP, TLS, the PROXY protocol, HTTP connections, read and write buffers, the clock. Must not know: frames of any protocol,
//! queues, files other than certificates.
#![forbid(unsafe_code)]

mod buffers;
mod clock;
mod driver;
mod http;
mod listener;
mod proxy;
mod tls;

pub use clock::now;
pub use driver::{Socket, drive};
pub use http::drive_http;
pub use listener::{Accepted, Listener, ListenerOptions, Peer, Serve};
pub use tls::{TlsError, TlsOptions, server_config};
