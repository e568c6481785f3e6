//! amqp091
#![forbid(unsafe_code)]
