//! RabbitMQ's metrics for Prometheus.
//!
//! A metric is one line in one table ([`table`]): its name, what it tells, where its number comes from.
//! A scrape chooses families of the table ([`scrape`]), reads their objects once, and renders them piece
//! by piece while the client takes them ([`body`]).
//!
//! Knows: HTTP, Prometheus' text format, RabbitMQ's names. Must not know: how the broker counts.
#![forbid(unsafe_code)]

mod body;
mod counted;
mod families;
mod global;
mod login;
mod metric;
mod request;
mod scrape;
mod server;
#[rustfmt::skip] // one line each
mod table;
mod telemetry;
mod text;

#[cfg(test)]
mod tests;

pub use server::Http;
