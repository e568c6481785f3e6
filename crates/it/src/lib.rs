//! What end-to-end tests share: the real broker as a child process ([`Server`]), a raw AMQP 0-9-1
//! client ([`RawClient`]) that can say anything, right or wrong, and an HTTP client ([`HttpClient`]).
//!
//! Knows the command line of `leveret` and the AMQP 0-9-1 grammar as data. Must not know the broker's
//! own crates: the client has an encoder and a decoder of its own, so that a mistake in the broker's
//! codec cannot hide behind the same mistake here.
#![forbid(unsafe_code)]

mod client;
mod grammar;
mod http;
mod server;
mod tls;
mod value;
mod words;

pub use client::{Login, RawClient, Received};
pub use grammar::{METHODS, Method, decode_method, encode_method, method_named};
pub use http::{HttpClient, HttpReply};
pub use server::{Server, Target, command};
pub use value::{Value, decode_table, encode_table};
pub use words::{Words, quote, tokens};
