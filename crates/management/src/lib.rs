//! RabbitMQ's HTTP API.
//!
//! A request is matched against one table ([`routes`]): path, method, who may. Its handler is a plain
//! function that asks the broker ([`operator::Management`]) and returns JSON or a refusal; it may block
//! and runs on a thread of its own. A group of paths is one file in [`api`] and its lines in the table.
//!
//! Knows: HTTP, JSON, RabbitMQ's paths, keys, statuses and error texts. Must not know: how the broker
//! does it, frames, queues' insides.
#![forbid(unsafe_code)]
// A node is one object of 50 keys.
#![recursion_limit = "256"]

mod api;
mod assets;
mod body;
mod call;
mod erlang;
mod figures;
mod json;
mod listing;
mod login;
mod multipart;
mod origin;
mod reply;
mod route;
mod routes;
mod server;

pub use api::definitions::import_definitions;
pub use server::Http;
