//! The methods of the hot path, laid out by hand: method, header and body in one go.

//!
//! Bytes that follow each other in every message are appended at once, across the borders of frames:
//! a frame's end octet goes with what comes after it.

use std::ops::Range;

use crate::content::{body_limit, content_len, frame_len, put_body_frame, put_header_frame};
use crate::frame::{EMPTY_FRAME_SIZE, FRAME_END, HEADER_SIZE};
use crate::{BasicAck, BasicDeliver, BasicPublish, CLASS_BASIC, FrameKind, MethodArguments};

/// Appends `basic.deliver`, content header and body frames.
///
/// `properties` are flags and properties as they lie in a header; a frame takes `frame_max` bytes at
/// most, 0 is no limit. Names of more than 255 bytes are cut.
///
/// # Panics
/// If a frame would take 4 GiB or more.
#[inline]
pub fn encode_deliver(
    channel: u16,
    deliver: &BasicDeliver<'_>,
    properties: &[u8],
    body: &[u8],
    frame_max: u32,
    out: &mut Vec<u8>,
) {
    let arguments = DeliverArguments::new(deliver);
    let content_len = content_len(properties, body.len(), frame_max);
    out.reserve(EMPTY_FRAME_SIZE + arguments.payload_len() + content_len);
    arguments.put(channel, out);
    put_header_frame_after(channel, body.len() as u64, properties, out);
    for piece in body.chunks(body_limit(frame_max)) {
        put_body_frame(channel, piece, out);
    }
}

/// Appends everything of a delivery but its body, and says where the body goes: large bodies are
/// written to the socket from where they are.
///
/// # Panics
/// If a frame would take 4 GiB or more.
pub fn encode_deliver_around(
    channel: u16,
    deliver: &BasicDeliver<'_>,
    properties: &[u8],
    body_len: usize,
    frame_max: u32,
    out: &mut Vec<u8>,
) -> BodySplice {
    let start = out.len();
    let arguments = DeliverArguments::new(deliver);
    let content_len = content_len(properties, body_len, frame_max);
    out.reserve(EMPTY_FRAME_SIZE + arguments.payload_len() + content_len - body_len);
    arguments.put(channel, out);
    put_header_frame_after(channel, body_len as u64, properties, out);
    put_empty_body_frames(start, channel, body_len, frame_max, out)
}

/// Appends everything of a content but its body, as [`encode_deliver_around`] does of a delivery.
///
/// # Panics
/// If a frame would take 4 GiB or more.
pub fn encode_content_around(
    channel: u16,
    class_id: u16,
    properties: &[u8],
    body_len: usize,
    frame_max: u32,
    out: &mut Vec<u8>,
) -> BodySplice {
    let start = out.len();
    out.reserve(content_len(properties, body_len, frame_max) - body_len);
    put_header_frame(channel, class_id, properties, body_len as u64, out);
    put_empty_body_frames(start, channel, body_len, frame_max, out)
}

/// The arguments of `basic.deliver`, their strings no longer than they may be.
struct DeliverArguments<'a> {
    consumer_tag: &'a [u8],
    delivery_tag: u64,
    redelivered: bool,
    exchange: &'a [u8],
    routing_key: &'a [u8],
}

impl<'a> DeliverArguments<'a> {
    #[inline]
    fn new(deliver: &BasicDeliver<'a>) -> Self {
        Self {
            consumer_tag: fitting(deliver.consumer_tag.0),
            delivery_tag: deliver.delivery_tag,
            redelivered: deliver.redelivered,
            exchange: fitting(deliver.exchange.0),
            routing_key: fitting(deliver.routing_key.0),
        }
    }

    #[inline]
    fn payload_len(&self) -> usize {
        let fixed = 4 + 1 + 8 + 1 + 1 + 1;
        fixed + self.consumer_tag.len() + self.exchange.len() + self.routing_key.len()
    }

    /// Appends the method frame, all but its end octet.
    #[inline]
    fn put(&self, channel: u16, out: &mut Vec<u8>) {
        let mut head = [0; HEADER_SIZE + 5];
        put_method_head(channel, BasicDeliver::ID.as_u32(), self.payload_len(), &mut head);
        head[11] = self.consumer_tag.len() as u8;
        out.extend_from_slice(&head);
        out.extend_from_slice(self.consumer_tag);

        let mut middle = [0; 10];
        middle[..8].copy_from_slice(&self.delivery_tag.to_be_bytes());
        middle[8] = self.redelivered.into();
        middle[9] = self.exchange.len() as u8;
        out.extend_from_slice(&middle);
        out.extend_from_slice(self.exchange);
        out.push(self.routing_key.len() as u8);
        out.extend_from_slice(self.routing_key);
    }
}

/// As much of a short string as its length octet can tell.
#[inline]
fn fitting(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(u8::MAX.into())]
}

/// Fills in a frame header and the ids of a method, 11 bytes.
#[inline]
fn put_method_head(channel: u16, id: u32, payload_len: usize, head: &mut [u8]) {
    head[0] = FrameKind::Method as u8;
    head[1..3].copy_from_slice(&channel.to_be_bytes());
    head[3..7].copy_from_slice(&frame_len(payload_len).to_be_bytes());
    head[7..11].copy_from_slice(&id.to_be_bytes());
}

/// Appends the end octet of the method frame before, and a content header as a frame.
#[inline]
fn put_header_frame_after(channel: u16, body_size: u64, properties: &[u8], out: &mut Vec<u8>) {
    let mut head = [0; 1 + HEADER_SIZE + 12];
    head[0] = FRAME_END;
    head[1] = FrameKind::Header as u8;
    head[2..4].copy_from_slice(&channel.to_be_bytes());
    head[4..8].copy_from_slice(&frame_len(12 + properties.len()).to_be_bytes());
    head[8..10].copy_from_slice(&CLASS_BASIC.to_be_bytes());
    head[12..].copy_from_slice(&body_size.to_be_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(properties);
    out.push(FRAME_END);
}

/// Appends the frames of a body that goes into them later; what it goes around begins at `start`.
fn put_empty_body_frames(
    start: usize,
    channel: u16,
    body_len: usize,
    frame_max: u32,
    out: &mut Vec<u8>,
) -> BodySplice {
    let head_end = out.len();
    let limit = body_limit(frame_max);
    let mut rest = body_len;
    while rest != 0 {
        let piece = rest.min(limit);
        put_empty_body_frame(channel, piece, out);
        rest -= piece;
    }
    BodySplice { start, head_end, body_len, limit }
}

/// Appends header and end octet of a frame with `len` bytes of body, which go between them later.
fn put_empty_body_frame(channel: u16, len: usize, out: &mut Vec<u8>) {
    let [channel_high, channel_low] = channel.to_be_bytes();
    let [a, b, c, d] = frame_len(len).to_be_bytes();
    let kind = FrameKind::Body as u8;
    out.extend_from_slice(&[kind, channel_high, channel_low, a, b, c, d, FRAME_END]);
}

/// Where the pieces of a body go between the bytes that [`encode_deliver_around`] or
/// [`encode_content_around`] appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodySplice {
    /// Where all of it starts in the output.
    start: usize,
    /// Where the frames of the body start in it.
    head_end: usize,
    body_len: usize,
    /// The most body bytes in a frame.
    limit: usize,
}

/// A piece of a delivery, to be sent in the order of [`BodySplice::pieces`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SplicePiece {
    /// Bytes of the output buffer.
    Framing(Range<usize>),
    /// Bytes of the body.
    Body(Range<usize>),
}

impl BodySplice {
    /// The whole delivery piece by piece: framing and body in turn, framing first and last.
    pub fn pieces(&self) -> impl Iterator<Item = SplicePiece> + use<> {
        let Self { start, head_end, body_len, limit } = *self;
        let frames = body_len.div_ceil(limit);
        (0..2 * frames + 1).map(move |idx| {
            let frame = idx / 2;
            // The first frame header adheres to the head, every other to the end octet before it.
            let frame_start = head_end + frame * EMPTY_FRAME_SIZE;
            if idx % 2 == 1 {
                return SplicePiece::Body(frame * limit..body_len.min((frame + 1) * limit));
            }
            let from = if frame == 0 { start } else { frame_start - 1 };
            let to = if frame == frames { frame_start } else { frame_start + HEADER_SIZE };
            SplicePiece::Framing(from..to)
        })
    }
}

/// Appends `basic.publish`, content header and body frames: what a client sends.
///
/// `properties` are flags and properties as they lie in a header; a frame takes `frame_max` bytes at
/// most, 0 is no limit.
///
/// # Panics
/// If a frame would take 4 GiB or more.
#[inline]
pub fn encode_publish(
    channel: u16,
    publish: &BasicPublish<'_>,
    properties: &[u8],
    body: &[u8],
    frame_max: u32,
    out: &mut Vec<u8>,
) {
    let exchange = fitting(publish.exchange.0);
    let routing_key = fitting(publish.routing_key.0);
    let payload_len = 4 + 2 + 1 + exchange.len() + 1 + routing_key.len() + 1;
    let content_len = content_len(properties, body.len(), frame_max);
    out.reserve(EMPTY_FRAME_SIZE + payload_len + content_len);

    let mut head = [0; HEADER_SIZE + 7];
    put_method_head(channel, BasicPublish::ID.as_u32(), payload_len, &mut head);
    head[11..13].copy_from_slice(&publish.ticket.to_be_bytes());
    head[13] = exchange.len() as u8;
    out.extend_from_slice(&head);
    out.extend_from_slice(exchange);
    out.push(routing_key.len() as u8);
    out.extend_from_slice(routing_key);
    out.push(u8::from(publish.mandatory) | u8::from(publish.immediate) << 1);

    put_header_frame_after(channel, body.len() as u64, properties, out);
    for piece in body.chunks(body_limit(frame_max)) {
        put_body_frame(channel, piece, out);
    }
}

/// Appends `basic.ack`: from a client for deliveries, from the server for publishes.
#[inline]
pub fn encode_ack(channel: u16, ack: &BasicAck, out: &mut Vec<u8>) {
    let mut frame = [0; EMPTY_FRAME_SIZE + 13];
    put_method_head(channel, BasicAck::ID.as_u32(), 13, &mut frame);
    frame[11..19].copy_from_slice(&ack.delivery_tag.to_be_bytes());
    frame[19] = ack.multiple.into();
    frame[20] = FRAME_END;
    out.extend_from_slice(&frame);
}

#[cfg(test)]
mod tests;
