//! AMQP 0-9-1 between bytes and values, both ways: what a server, a client, a fuzzer or a load
//! generator needs to speak the protocol as RabbitMQ does.
//!
//! From the outside in:
//! - [`ProtocolHeader`]: the eight octets a client opens with;
//! - [`split_frame`]: bytes into [`Frame`]s, [`Frame::parse`]: a frame into its [`Payload`];
//! - [`Method`]: the 66 methods of RabbitMQ's grammar, borrowed from the frame;
//! - [`ContentHeader`], [`Properties`], [`BasicProperties`]: what goes with a message;
//! - [`encode_method`], [`encode_content`] and the hand-laid [`encode_publish`] and
//!   [`encode_deliver`]: values into frames;
//! - [`ReplyCode`] and [`reply_text`]: how errors are put to a client.
//!
//! Errors are values that say what was wrong; their `Display` is RabbitMQ's explanation to the
//! letter, down to its way of printing binaries.
//!
//! This crate keeps no state between frames and knows no channel, no vhost and no queue: which
//! frame is allowed when, and what an error closes, is for the front-end. It reads no socket, file
//! or clock, and allocates nothing but the caller's output buffer and the bytes kept in an error.
//!
//! ```
//! use amqp091_codec::{Method, Payload, QueueDeclare, Split, encode_method, split_frame};
//!
//! let mut bytes = Vec::new();
//! let declare = QueueDeclare { queue: "orders", durable: true, ..QueueDeclare::default() };
//! encode_method(1, &declare.into(), &mut bytes);
//!
//! let Ok(Split::Frame(frame)) = split_frame(&bytes, 131_072) else { panic!("a whole frame") };
//! let Ok(Payload::Method(raw)) = frame.parse() else { panic!("a method frame") };
//! assert_eq!(raw.decode(), Ok(Method::QueueDeclare(declare)));
//! ```
#![forbid(unsafe_code)]

mod content;
mod encode;
mod erlang_text;
mod frame;
mod grammar;
mod method;
pub mod properties;
mod protocol_header;
mod reply_code;
#[cfg(test)]
mod test_support;
mod wire;

pub use content::{ContentHeader, encode_content};
pub use encode::{
    BodySplice, SplicePiece, encode_ack, encode_content_around, encode_deliver,
    encode_deliver_around, encode_publish,
};
pub use frame::{
    EMPTY_FRAME_SIZE, FRAME_END, FRAME_MIN_SIZE, Frame, FrameError, FrameKind, HEARTBEAT, Payload,
    Snippet, Split, encode_heartbeat, split_frame,
};
pub use grammar::*;
pub use method::{MethodArguments, MethodError, MethodId, RawMethod, encode_method};
pub use properties::{BasicProperties, Properties, PropertiesError};
pub use protocol_header::ProtocolHeader;
pub use reply_code::{ReplyCode, reply_text};
pub use wire::{ShortBytes, Table};
