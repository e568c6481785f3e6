//! amqp091-codec
#![forbid(unsafe_code)]
