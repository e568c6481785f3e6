//! The real broker and third-party clients: what applications see, one behaviour per test.
//!
//! Each test starts a broker of its own, so that they run side by side and none can spoil another.

mod configuration;
mod connections;
mod consumers;
mod dead_letters;
mod events;
mod exchanges;
mod firehose;
mod kit;
mod limits;
mod policies;
mod proxied;
mod publishing;
mod queues;
mod quorum;
mod settling;
mod tls;
