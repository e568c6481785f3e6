//! Puts content together whose frames do not lie next to each other in the input.

use amqp091_codec::{
    BasicPublish, CLASS_BASIC, ContentHeader, Frame, Method, MethodId, Payload, ReplyCode,
};
use broker::BodyRoom;
use bytes::Bytes;
use message::Image;

use crate::errors::Failure;

/// Largest body that may be announced, in bytes; RabbitMQ's hard limit.
pub(crate) const BODY_SIZE_MAX: u64 = 512 * 1024 * 1024;

/// Room for a body that was announced and did not come yet, in bytes. More is made as it arrives, so
/// that an announcement alone costs next to nothing.
const ANNOUNCED_BODY_MAX: usize = 64 * 1024;

/// Who sent this much of a body will send the rest, in bytes: room for all of it is made at once.
/// It costs nothing before it is written to, whereas growing further would mean copying.
const EARNEST_BODY_MIN: usize = 1024 * 1024;

/// A method with content, without the content.
#[derive(Clone, Debug)]
pub(crate) struct ContentMethod {
    /// `basic.publish`, or a method that only servers send.
    pub(crate) id: MethodId,
    pub(crate) mandatory: bool,
    pub(crate) immediate: bool,
}

/// A complete message in memory of its own.
#[derive(Debug)]
pub(crate) struct Assembled {
    pub(crate) method: ContentMethod,
    pub(crate) body_size: u64,
    /// `None` when the body was too large to be kept.
    pub(crate) image: Option<Image>,
}

/// What is due next on a channel.
#[derive(Debug, Default)]
pub(crate) enum Assembly {
    /// A method.
    #[default]
    Method,
    /// A content header.
    Header(Box<Partial>),
    /// Body frames.
    Body(Box<Partial>),
}

/// A message whose end has not arrived.
#[derive(Debug)]
pub(crate) struct Partial {
    method: ContentMethod,
    /// Exchange, routing key, properties, body as far as it came.
    bytes: Vec<u8>,
    exchange_len: u8,
    routing_key_len: u8,
    properties_len: u32,
    body_size: u64,
    remaining: u64,
    is_kept: bool,
    /// Taken before any of the body is kept.
    room: Option<BodyRoom>,
}

impl Assembly {
    /// True when a method is due.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self, Self::Method)
    }

    /// Starts with a method that carries content.
    pub(crate) fn begin(&mut self, method: &Method<'_>) {
        let mut names = (&[][..], &[][..]);
        let mut flags = (false, false);
        if let Method::BasicPublish(BasicPublish {
            exchange,
            routing_key,
            mandatory,
            immediate,
            ..
        }) = method
        {
            names = (exchange.as_bytes(), routing_key.as_bytes());
            flags = (*mandatory, *immediate);
        }
        let (exchange, routing_key) = names;
        let (mandatory, immediate) = flags;
        *self = Self::Header(Box::new(Partial {
            method: ContentMethod { id: method.ids(), mandatory, immediate },
            bytes: [exchange, routing_key].concat(),
            exchange_len: exchange.len() as u8,
            routing_key_len: routing_key.len() as u8,
            properties_len: 0,
            body_size: 0,
            remaining: 0,
            is_kept: false,
            room: None,
        }));
    }

    /// True when a content header is due.
    pub(crate) fn is_at_header(&self) -> bool {
        matches!(self, Self::Header(_))
    }

    /// The body that the next header announces has this room.
    pub(crate) fn give_room(&mut self, room: BodyRoom) {
        if let Self::Header(partial) = self {
            partial.room = Some(room);
        }
    }

    /// Takes the next frame of the content. Bodies of more than `kept_max` bytes are counted, not
    /// kept.
    pub(crate) fn take(
        &mut self,
        payload: &Payload<'_>,
        kept_max: u64,
    ) -> Result<Option<Assembled>, Failure> {
        match std::mem::take(self) {
            Self::Method => Err(expected_method()),
            Self::Header(partial) => self.take_header(partial, payload, kept_max),
            Self::Body(partial) => self.take_body(partial, payload),
        }
    }

    fn take_header(
        &mut self,
        mut partial: Box<Partial>,
        payload: &Payload<'_>,
        kept_max: u64,
    ) -> Result<Option<Assembled>, Failure> {
        let method = partial.method.id;
        let header = match payload {
            Payload::Header(header) => header,
            Payload::Method(_) | Payload::Body(_) | Payload::Heartbeat => {
                return Err(expected_header(method));
            }
        };
        check_header(header, method)?;
        partial.body_size = header.body_size;
        partial.remaining = header.body_size;
        partial.is_kept = header.body_size <= kept_max;
        if partial.is_kept {
            let body_len = usize::try_from(header.body_size).unwrap_or(usize::MAX);
            let room = header.properties.len() + body_len.min(ANNOUNCED_BODY_MAX);
            partial.bytes.reserve_exact(room);
            partial.bytes.extend_from_slice(header.properties);
            partial.properties_len = header.properties.len() as u32;
        }
        if partial.remaining == 0 {
            return Ok(Some(partial.finish()));
        }
        *self = Self::Body(partial);
        Ok(None)
    }

    fn take_body(
        &mut self,
        mut partial: Box<Partial>,
        payload: &Payload<'_>,
    ) -> Result<Option<Assembled>, Failure> {
        let method = partial.method.id;
        let Payload::Body(piece) = payload else {
            let text = "expected content body, got non content body frame instead";
            return Err(Failure::new(ReplyCode::UnexpectedFrame, text).of(method));
        };
        let Some(remaining) = partial.remaining.checked_sub(piece.len() as u64) else {
            let text = "content body frame exceeds remaining content size";
            return Err(Failure::new(ReplyCode::FrameError, text).of(method));
        };
        if partial.is_kept {
            partial.make_room(piece.len());
            partial.bytes.extend_from_slice(piece);
        }
        partial.remaining = remaining;
        if remaining == 0 {
            return Ok(Some(partial.finish()));
        }
        *self = Self::Body(partial);
        Ok(None)
    }
}

impl Partial {
    /// Makes room for `piece_len` bytes: as much again as there is, for much of it the whole body.
    fn make_room(&mut self, piece_len: usize) {
        let free = self.bytes.capacity() - self.bytes.len();
        if free < piece_len {
            let missing = usize::try_from(self.remaining).unwrap_or(piece_len);
            let room = match self.bytes.len() {
                EARNEST_BODY_MIN.. => missing,
                len => missing.min(len.max(piece_len)),
            };
            self.bytes.reserve_exact(room);
        }
    }

    fn finish(self) -> Assembled {
        let bytes = Bytes::from(self.bytes);
        let image = self.is_kept.then(|| {
            Image::from_parts(bytes, self.exchange_len, self.routing_key_len, self.properties_len)
                .expect("the lengths are of what was appended")
        });
        Assembled { method: self.method, body_size: self.body_size, image }
    }
}

/// Checks a header that follows a method with content.
pub(crate) fn check_header(header: &ContentHeader<'_>, method: MethodId) -> Result<(), Failure> {
    if header.weight != 0 {
        return Err(expected_header(method));
    }
    if header.class_id != CLASS_BASIC {
        let text = format!(
            "expected content header for class {CLASS_BASIC}, got one for class {} instead",
            header.class_id
        );
        return Err(Failure::new(ReplyCode::UnexpectedFrame, text).of(method));
    }
    if BODY_SIZE_MAX < header.body_size {
        let text = format!(
            "content body size {} exceeds maximum allowed size {BODY_SIZE_MAX}",
            header.body_size
        );
        return Err(Failure::new(ReplyCode::FrameError, text).of(method));
    }
    Ok(())
}

fn expected_header(method: MethodId) -> Failure {
    let text = format!(
        "expected content header for class {CLASS_BASIC}, got non content header frame instead"
    );
    Failure::new(ReplyCode::UnexpectedFrame, text).of(method)
}

/// A content frame came where a method was due.
pub(crate) fn expected_method() -> Failure {
    let text = "expected method frame, got non method frame instead";
    Failure::new(ReplyCode::UnexpectedFrame, text)
}

/// The content that follows a method directly in the input.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ahead<'i> {
    /// All of it: header, body, and the length of their frames together.
    Complete(ContentHeader<'i>, &'i [u8], usize),
    /// It looks good so far; this many bytes more make it complete.
    Missing(usize),
    /// It comes in pieces, or is wrong: take it frame by frame.
    Pieces,
}

/// Longest content that waits for its last byte in the read buffer instead of being assembled.
const AHEAD_MAX: usize = 32 * 1024;

/// Looks at the frames behind a `basic.publish` on `channel`.
pub(crate) fn look_ahead(input: &[u8], channel: u16, frame_max: u32) -> Ahead<'_> {
    let header_frame = match next_frame(input, channel, frame_max) {
        Ok(frame) => frame,
        Err(ahead) => return ahead,
    };
    let Ok(Payload::Header(header)) = header_frame.parse() else { return Ahead::Pieces };
    if header.weight != 0 || header.class_id != CLASS_BASIC {
        return Ahead::Pieces;
    }
    let header_len = header_frame.wire_len();
    if header.body_size == 0 {
        return Ahead::Complete(header, &[], header_len);
    }
    let body_frame = match next_frame(&input[header_len..], channel, frame_max) {
        Ok(frame) => frame,
        Err(Ahead::Missing(_)) if AHEAD_MAX as u64 <= header.body_size => return Ahead::Pieces,
        Err(ahead) => return ahead,
    };
    match body_frame.parse() {
        Ok(Payload::Body(body)) if body.len() as u64 == header.body_size => {
            Ahead::Complete(header, body, header_len + body_frame.wire_len())
        }
        _ => Ahead::Pieces,
    }
}

fn next_frame(input: &[u8], channel: u16, frame_max: u32) -> Result<Frame<'_>, Ahead<'_>> {
    match amqp091_codec::split_frame(input, frame_max) {
        Ok(amqp091_codec::Split::Frame(frame)) if frame.channel == channel => Ok(frame),
        Ok(amqp091_codec::Split::NeedMore(missing)) if missing <= AHEAD_MAX => {
            Err(Ahead::Missing(missing))
        }
        Ok(_) | Err(_) => Err(Ahead::Pieces),
    }
}

#[cfg(test)]
mod tests;
