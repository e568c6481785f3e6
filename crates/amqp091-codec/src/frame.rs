//! Frames (AMQP 0-9-1 §4.2.3): kind, channel, size, payload, end octet.

use std::fmt;

use crate::erlang_text::Pretty;
use crate::{ContentHeader, MethodId, RawMethod, ReplyCode};

/// The octet every frame ends with.
pub const FRAME_END: u8 = 0xCE;
/// What a frame takes beside its payload: header and end octet.
pub const EMPTY_FRAME_SIZE: usize = HEADER_SIZE + 1;
/// The smallest frame size RabbitMQ lets a client negotiate, in bytes.
pub const FRAME_MIN_SIZE: u32 = 8192;
/// A heartbeat, ready to send.
pub const HEARTBEAT: [u8; EMPTY_FRAME_SIZE] =
    [FrameKind::Heartbeat as u8, 0, 0, 0, 0, 0, 0, FRAME_END];

pub(crate) const HEADER_SIZE: usize = 7;

/// The kinds of frame there are (§4.2.3); any other octet in this place is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// A method and its arguments.
    Method = 1,
    /// A content header: body size and properties.
    Header = 2,
    /// A piece of a body.
    Body = 3,
    /// A sign of life.
    Heartbeat = 8,
}

/// A frame whose size and end octet are right, not looked into yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The octet that tells the kind, one of [`FrameKind`] or not.
    pub kind: u8,
    /// The channel, 0 for the connection itself.
    pub channel: u16,
    /// What lies between header and end octet.
    pub payload: &'a [u8],
}

/// What [`split_frame`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split<'a> {
    /// A frame, which takes [`Frame::wire_len`] bytes.
    Frame(Frame<'a>),
    /// At least this many bytes are missing, never 0.
    NeedMore(usize),
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A method that RabbitMQ knows, its arguments undecoded.
    Method(RawMethod<'a>),
    /// A content header.
    Header(ContentHeader<'a>),
    /// A piece of a body.
    Body(&'a [u8]),
    /// A heartbeat, on whichever channel.
    Heartbeat,
}

/// The frame that `bytes` start with.
///
/// `frame_max` is the negotiated limit, 0 for none. As RabbitMQ does, a payload is taken up to
/// `frame_max` bytes although frame and payload together should keep to it: many clients are off by
/// the size of an empty frame. A frame that is too large is refused as soon as its header is there.
#[inline]
pub fn split_frame(bytes: &[u8], frame_max: u32) -> Result<Split<'_>, FrameError> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_SIZE>() else {
        return Ok(Split::NeedMore(HEADER_SIZE - bytes.len()));
    };
    let [kind, channel_high, channel_low, size @ ..] = *header;
    let channel = u16::from_be_bytes([channel_high, channel_low]);
    let size = u32::from_be_bytes(size);
    if frame_max < size && frame_max != 0 {
        return Err(too_large(kind, channel, size, frame_max));
    }
    let size = size as usize;
    let Some(&end) = rest.get(size) else {
        return Ok(Split::NeedMore(size - rest.len() + 1));
    };
    let payload = &rest[..size];
    let frame = Frame { kind, channel, payload };
    if end != FRAME_END {
        return Err(invalid_end(frame, end));
    }
    Ok(Split::Frame(frame))
}

#[cold]
fn too_large(kind: u8, channel: u16, size: u32, frame_max: u32) -> FrameError {
    let limit = frame_max.saturating_sub(EMPTY_FRAME_SIZE as u32);
    FrameError::TooLarge { kind, channel, size, limit }
}

#[cold]
fn invalid_end(frame: Frame<'_>, end: u8) -> FrameError {
    let payload = Snippet::new(frame.payload);
    FrameError::InvalidEnd { kind: frame.kind, channel: frame.channel, payload, end }
}

/// Appends a heartbeat.
pub fn encode_heartbeat(out: &mut Vec<u8>) {
    out.extend_from_slice(&HEARTBEAT);
}

impl<'a> Frame<'a> {
    /// How many bytes the frame takes, header and end octet included.
    #[inline]
    pub fn wire_len(&self) -> usize {
        self.payload.len() + EMPTY_FRAME_SIZE
    }

    /// Tells what the frame holds, by the rules of RabbitMQ: a heartbeat has no payload, a method
    /// frame names a known method, a header frame has at least its fixed part.
    // Inlined so that what it returns stays in registers: through memory it costs three times as much.
    #[inline(always)]
    pub fn parse(&self) -> Result<Payload<'a>, FrameError> {
        match self.kind {
            kind if kind == FrameKind::Method as u8 => {
                let Some(method) = RawMethod::split(self.payload) else {
                    return Err(self.unknown());
                };
                if !method.id.is_known() {
                    let channel = self.channel;
                    return Err(FrameError::UnknownMethod { channel, method: method.id });
                }
                Ok(Payload::Method(method))
            }
            kind if kind == FrameKind::Header as u8 => match ContentHeader::decode(self.payload) {
                Some(header) => Ok(Payload::Header(header)),
                None => Err(self.unknown()),
            },
            kind if kind == FrameKind::Body as u8 => Ok(Payload::Body(self.payload)),
            kind if kind == FrameKind::Heartbeat as u8 && self.payload.is_empty() => {
                Ok(Payload::Heartbeat)
            }
            _ => Err(self.unknown()),
        }
    }

    /// The error for a frame that RabbitMQ knows no kind of.
    #[cold]
    #[inline(never)]
    pub fn unknown(&self) -> FrameError {
        let payload = Snippet::new(self.payload);
        FrameError::Unknown { kind: self.kind, channel: self.channel, payload }
    }

    /// The error for a frame that may not come now, such as a heartbeat on a channel.
    #[cold]
    #[inline(never)]
    pub fn unexpected(&self) -> FrameError {
        let payload = Snippet::new(self.payload);
        FrameError::Unexpected { kind: self.kind, channel: self.channel, payload }
    }
}

/// As much of a payload as RabbitMQ quotes in its errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snippet {
    octets: [u8; Self::MAX_LEN],
    len: u8,
    is_cut: bool,
}

impl Snippet {
    /// The most octets a snippet quotes.
    pub const MAX_LEN: usize = 16;

    /// The start of `payload`.
    pub fn new(payload: &[u8]) -> Self {
        let quoted = &payload[..payload.len().min(Self::MAX_LEN)];
        let mut octets = [0; Self::MAX_LEN];
        octets[..quoted.len()].copy_from_slice(quoted);
        Self { octets, len: quoted.len() as u8, is_cut: quoted.len() < payload.len() }
    }

    /// The octets quoted.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets[..usize::from(self.len)]
    }

    /// Whether the payload was longer.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

/// What is wrong with a frame. `Display` is RabbitMQ's explanation, without the name of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The header announces a larger payload than was negotiated.
    TooLarge {
        /// The kind octet.
        kind: u8,
        /// The channel.
        channel: u16,
        /// The payload's size as announced, in bytes.
        size: u32,
        /// The largest payload that the negotiated frame size leaves room for, in bytes.
        limit: u32,
    },
    /// The octet after the payload is not [`FRAME_END`].
    InvalidEnd {
        /// The kind octet.
        kind: u8,
        /// The channel.
        channel: u16,
        /// The payload's start.
        payload: Snippet,
        /// The octet in the place of the end octet.
        end: u8,
    },
    /// The kind octet or the payload's shape is that of no frame.
    Unknown {
        /// The kind octet.
        kind: u8,
        /// The channel.
        channel: u16,
        /// The payload's start.
        payload: Snippet,
    },
    /// A good frame, but not one that may come now.
    Unexpected {
        /// The kind octet.
        kind: u8,
        /// The channel.
        channel: u16,
        /// The payload's start.
        payload: Snippet,
    },
    /// A method that RabbitMQ does not know: it drops the socket without a word.
    UnknownMethod {
        /// The channel.
        channel: u16,
        /// The method asked for.
        method: MethodId,
    },
}

impl FrameError {
    /// The code RabbitMQ closes the connection with; `None` where it drops the socket unanswered.
    pub fn reply_code(&self) -> Option<ReplyCode> {
        match self {
            Self::TooLarge { .. } | Self::InvalidEnd { .. } | Self::Unknown { .. } => {
                Some(ReplyCode::FrameError)
            }
            Self::Unexpected { .. } => Some(ReplyCode::UnexpectedFrame),
            Self::UnknownMethod { .. } => None,
        }
    }

    /// The channel the frame was for.
    pub fn channel(&self) -> u16 {
        match self {
            Self::TooLarge { channel, .. }
            | Self::InvalidEnd { channel, .. }
            | Self::Unknown { channel, .. }
            | Self::Unexpected { channel, .. }
            | Self::UnknownMethod { channel, .. } => *channel,
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Pretty::default();
        match self {
            Self::TooLarge { kind, size, limit, .. } => {
                quote(&mut text, *kind, &Snippet::new(&[]));
                text.push(": ");
                text.push_tuple("frame_too_large", &[*size, *limit]);
            }
            Self::InvalidEnd { kind, payload, end, .. } => {
                quote(&mut text, *kind, payload);
                text.push(": ");
                text.push_tuple("invalid_frame_end_marker", &[(*end).into()]);
            }
            Self::Unknown { kind, payload, .. } => {
                quote(&mut text, *kind, payload);
                text.push(": unknown_frame");
            }
            Self::Unexpected { kind, payload, .. } => quote(&mut text, *kind, payload),
            Self::UnknownMethod { method, .. } => {
                return write!(f, "unknown method {method}");
            }
        }
        f.write_str(text.as_str())
    }
}

impl std::error::Error for FrameError {}

fn quote(text: &mut Pretty, kind: u8, payload: &Snippet) {
    let extent = if payload.is_cut() { "first 16" } else { "all" };
    text.push(&format!("type {kind}, {extent} octets = "));
    text.push_binary(payload.as_bytes());
}

#[cfg(test)]
mod tests;
