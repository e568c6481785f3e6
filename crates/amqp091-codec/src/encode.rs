//! The methods of the hot path, laid out by hand: method, header and body in one go.

use std::ops::Range;

use crate::content::{
    body_limit, content_len, put_body_frames, put_frame_header, put_header_frame,
};
use crate::frame::{EMPTY_FRAME_SIZE, FRAME_END, HEADER_SIZE};
use crate::method::put_method_frame;
use crate::{BasicAck, BasicDeliver, BasicPublish, CLASS_BASIC, FrameKind, MethodArguments};

/// What the arguments of a deliver or publish take beside their strings, at most.
const FIXED_ARGUMENTS: usize = 16;

/// Appends `basic.deliver`, content header and body frames.
///
/// `properties` are flags and properties as they lie in a header; a frame takes `frame_max` bytes at
/// most, 0 is no limit.
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
    out.reserve(deliver_len(deliver) + content_len(properties, body, frame_max));
    put_method_frame(channel, BasicDeliver::ID, out, |out| deliver.encode(out));
    put_header_frame(channel, CLASS_BASIC, body.len() as u64, properties, out);
    put_body_frames(channel, body, frame_max, out);
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
    let limit = body_limit(frame_max);
    let frames = body_len.div_ceil(limit);
    out.reserve(
        deliver_len(deliver) + content_len(properties, &[], frame_max) + frames * EMPTY_FRAME_SIZE,
    );
    put_method_frame(channel, BasicDeliver::ID, out, |out| deliver.encode(out));
    put_header_frame(channel, CLASS_BASIC, body_len as u64, properties, out);
    let head_end = out.len();
    let mut rest = body_len;
    while rest != 0 {
        let piece = rest.min(limit);
        put_frame_header(FrameKind::Body, channel, piece, out);
        out.push(FRAME_END);
        rest -= piece;
    }
    BodySplice { start, head_end, body_len, limit }
}

/// Where the pieces of a body go between the bytes that [`encode_deliver_around`] appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodySplice {
    /// Where the delivery starts in the output.
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
    let strings = publish.exchange.len() + publish.routing_key.len();
    let method_len = EMPTY_FRAME_SIZE + 4 + FIXED_ARGUMENTS + strings;
    out.reserve(method_len + content_len(properties, body, frame_max));
    put_method_frame(channel, BasicPublish::ID, out, |out| publish.encode(out));
    put_header_frame(channel, CLASS_BASIC, body.len() as u64, properties, out);
    put_body_frames(channel, body, frame_max, out);
}

/// Appends `basic.ack`: from a client for deliveries, from the server for publishes.
#[inline]
pub fn encode_ack(channel: u16, ack: &BasicAck, out: &mut Vec<u8>) {
    let [channel_high, channel_low] = channel.to_be_bytes();
    let mut frame = [0; EMPTY_FRAME_SIZE + 13];
    frame[..HEADER_SIZE].copy_from_slice(&[
        FrameKind::Method as u8,
        channel_high,
        channel_low,
        0,
        0,
        0,
        13,
    ]);
    frame[7..11].copy_from_slice(&BasicAck::ID.as_u32().to_be_bytes());
    frame[11..19].copy_from_slice(&ack.delivery_tag.to_be_bytes());
    frame[19] = ack.multiple.into();
    frame[20] = FRAME_END;
    out.extend_from_slice(&frame);
}

#[inline]
fn deliver_len(deliver: &BasicDeliver<'_>) -> usize {
    let strings = deliver.consumer_tag.len() + deliver.exchange.len() + deliver.routing_key.len();
    EMPTY_FRAME_SIZE + 4 + FIXED_ARGUMENTS + strings
}

#[cfg(test)]
mod tests;
