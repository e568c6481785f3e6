//! Content: the header that follows a method, and the body in its frames (AMQP 0-9-1 §4.2.6).

use crate::frame::{EMPTY_FRAME_SIZE, FRAME_END, HEADER_SIZE};
use crate::{FrameKind, Properties, PropertiesError};

/// What a header frame holds before the properties: class, weight, body size.
const FIXED_SIZE: usize = 12;

/// A content header. The properties stay the bytes they are: a broker passes them on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentHeader<'a> {
    /// The class of the method before it, 60 in practice.
    pub class_id: u16,
    /// Always 0; RabbitMQ takes a header of another weight for no header at all.
    pub weight: u16,
    /// How many bytes of body follow.
    pub body_size: u64,
    /// Property flags and properties, unchecked.
    pub properties: &'a [u8],
}

impl<'a> ContentHeader<'a> {
    /// The header that a header frame's payload holds; `None` if it is shorter than the fixed part.
    ///
    /// The properties are not looked at: RabbitMQ finds out later, and otherwise, about bad ones.
    #[inline]
    pub fn decode(payload: &'a [u8]) -> Option<Self> {
        let (fixed, properties) = payload.split_first_chunk::<FIXED_SIZE>()?;
        let [a, b, c, d, body_size @ ..] = *fixed;
        Some(Self {
            class_id: u16::from_be_bytes([a, b]),
            weight: u16::from_be_bytes([c, d]),
            body_size: u64::from_be_bytes(body_size),
            properties,
        })
    }

    /// The properties, if they are well-formed to the last byte.
    #[inline]
    pub fn properties(&self) -> Result<Properties<'a>, PropertiesError> {
        Properties::parse(self.properties)
    }
}

/// The most body bytes a frame carries; `frame_max` 0 is no limit.
///
/// Limits below [`FRAME_MIN_SIZE`](crate::FRAME_MIN_SIZE) are not negotiated, but one byte at least
/// is always carried, so that no limit whatever makes encoding go on for ever.
#[inline]
pub(crate) fn body_limit(frame_max: u32) -> usize {
    match frame_max {
        0 => u32::MAX as usize,
        _ => (frame_max as usize).saturating_sub(EMPTY_FRAME_SIZE).max(1),
    }
}

/// The size of a payload as a frame's header gives it.
#[inline]
pub(crate) fn frame_len(payload_len: usize) -> u32 {
    u32::try_from(payload_len).expect("a frame has fewer than 4 GiB")
}

/// Appends the header of a frame with `size` bytes of payload.
#[inline]
fn put_frame_header(kind: FrameKind, channel: u16, size: usize, out: &mut Vec<u8>) {
    let [channel_high, channel_low] = channel.to_be_bytes();
    let [a, b, c, d] = frame_len(size).to_be_bytes();
    out.extend_from_slice(&[kind as u8, channel_high, channel_low, a, b, c, d]);
}

/// Appends a piece of a body as a frame.
#[inline]
pub(crate) fn put_body_frame(channel: u16, piece: &[u8], out: &mut Vec<u8>) {
    put_frame_header(FrameKind::Body, channel, piece.len(), out);
    out.extend_from_slice(piece);
    out.push(FRAME_END);
}

/// How many bytes header and body frames take.
#[inline]
pub(crate) fn content_len(properties: &[u8], body_len: usize, frame_max: u32) -> usize {
    let limit = body_limit(frame_max);
    // Most bodies fit one frame, and a division costs as much as the rest.
    let frames = if body_len <= limit { 1 } else { body_len.div_ceil(limit) };
    HEADER_SIZE + FIXED_SIZE + properties.len() + 1 + body_len + frames * EMPTY_FRAME_SIZE
}

/// Appends a content header as a frame.
pub(crate) fn put_header_frame(
    channel: u16,
    class_id: u16,
    properties: &[u8],
    body_size: u64,
    out: &mut Vec<u8>,
) {
    put_frame_header(FrameKind::Header, channel, FIXED_SIZE + properties.len(), out);
    let mut fixed = [0; FIXED_SIZE];
    fixed[..2].copy_from_slice(&class_id.to_be_bytes());
    fixed[4..].copy_from_slice(&body_size.to_be_bytes());
    out.extend_from_slice(&fixed);
    out.extend_from_slice(properties);
    out.push(FRAME_END);
}

/// Appends a content header and a body in frames of at most `frame_max` bytes (0: no limit).
///
/// `properties` are flags and properties as they lie in a header, see
/// [`BasicProperties::encode`](crate::BasicProperties::encode). An empty body gets no frame.
///
/// # Panics
/// If a frame would take 4 GiB or more.
pub fn encode_content(
    channel: u16,
    class_id: u16,
    properties: &[u8],
    body: &[u8],
    frame_max: u32,
    out: &mut Vec<u8>,
) {
    out.reserve(content_len(properties, body.len(), frame_max));
    put_header_frame(channel, class_id, properties, body.len() as u64, out);
    for piece in body.chunks(body_limit(frame_max)) {
        put_body_frame(channel, piece, out);
    }
}

#[cfg(test)]
mod tests;
