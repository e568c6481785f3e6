//! The AMQP 0-9-1 front-end: a connection as a state machine over the broker, bytes in, bytes out.
//!
//! [`Connection`] implements [`broker::Protocol`]. A call of `handle_bytes` is a *turn*: frames are
//! decoded in place, publishes and settlements are collected by queue, each queue is locked once,
//! replies and confirms go out together. What queues reach from other tasks is one small struct
//! behind a lock (`shared`), so that replies and deliveries keep their order.
//!
//! Knows: which frame may come when, what a client may do, the codes, texts and delays with which
//! RabbitMQ answers. Must not know: sockets, threads, clocks (time is an argument), files, other
//! protocols, how queues keep messages, how control-plane commands become durable.
#![forbid(unsafe_code)]

mod assembler;
mod attempts;
mod by_number;
mod channel;
mod closing;
mod confirms;
mod connection;
mod errors;
mod expiration;
mod handshake;
mod heartbeat;
mod interceptors;
mod lanes;
mod log;
mod memo;
mod pending;
mod route_cache;
mod shared;
mod tally;
mod turn;
mod unacked;
mod work;

#[cfg(test)]
mod tests;

pub use connection::{Connection, Peer};
