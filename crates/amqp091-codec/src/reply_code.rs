//! Reply codes (AMQP 0-9-1 §1.2) and the text that goes with them.

/// Why a channel or connection is closed, or a message returned.
///
/// The names that appear in texts and the scope of each are RabbitMQ's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum ReplyCode {
    /// 200: closed because the sender wanted to.
    ReplySuccess = 200,
    /// 311: never used by RabbitMQ itself.
    ContentTooLarge = 311,
    /// 312: a mandatory message reached no queue.
    NoRoute = 312,
    /// 313: an immediate message met no consumer; RabbitMQ knows no immediate messages.
    NoConsumers = 313,
    /// 320: an operator closed the connection, or the node goes down.
    ConnectionForced = 320,
    /// 402: no such vhost path; RabbitMQ uses 530 instead.
    InvalidPath = 402,
    /// 403: no permission.
    AccessRefused = 403,
    /// 404: no such queue or exchange.
    NotFound = 404,
    /// 405: a queue belongs to another connection.
    ResourceLocked = 405,
    /// 406: arguments differ, a tag is unknown, a timeout passed.
    PreconditionFailed = 406,
    /// 501: bytes that make no frame.
    FrameError = 501,
    /// 502: a value out of range.
    SyntaxError = 502,
    /// 503: a method nobody may send now.
    CommandInvalid = 503,
    /// 504: a channel that is not open.
    ChannelError = 504,
    /// 505: a frame of another kind was due.
    UnexpectedFrame = 505,
    /// 506: out of something.
    ResourceError = 506,
    /// 530: forbidden by policy, limits or a missing vhost.
    NotAllowed = 530,
    /// 540: something RabbitMQ does not do.
    NotImplemented = 540,
    /// 541: the server's own fault.
    InternalError = 541,
}

impl ReplyCode {
    /// The number on the wire.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The name reply texts start with, such as `NOT_FOUND`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReplySuccess => "REPLY_SUCCESS",
            Self::ContentTooLarge => "CONTENT_TOO_LARGE",
            Self::NoRoute => "NO_ROUTE",
            Self::NoConsumers => "NO_CONSUMERS",
            Self::ConnectionForced => "CONNECTION_FORCED",
            Self::InvalidPath => "INVALID_PATH",
            Self::AccessRefused => "ACCESS_REFUSED",
            Self::NotFound => "NOT_FOUND",
            Self::ResourceLocked => "RESOURCE_LOCKED",
            Self::PreconditionFailed => "PRECONDITION_FAILED",
            Self::FrameError => "FRAME_ERROR",
            Self::SyntaxError => "SYNTAX_ERROR",
            Self::CommandInvalid => "COMMAND_INVALID",
            Self::ChannelError => "CHANNEL_ERROR",
            Self::UnexpectedFrame => "UNEXPECTED_FRAME",
            Self::ResourceError => "RESOURCE_ERROR",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::NotImplemented => "NOT_IMPLEMENTED",
            Self::InternalError => "INTERNAL_ERROR",
        }
    }

    /// Whether the error closes the connection; otherwise it closes the channel it arose on.
    pub const fn is_hard(self) -> bool {
        match self {
            Self::ConnectionForced
            | Self::InvalidPath
            | Self::FrameError
            | Self::SyntaxError
            | Self::CommandInvalid
            | Self::ChannelError
            | Self::UnexpectedFrame
            | Self::ResourceError
            | Self::NotAllowed
            | Self::NotImplemented
            | Self::InternalError => true,
            Self::ReplySuccess
            | Self::ContentTooLarge
            | Self::NoRoute
            | Self::NoConsumers
            | Self::AccessRefused
            | Self::NotFound
            | Self::ResourceLocked
            | Self::PreconditionFailed => false,
        }
    }
}

/// The reply text RabbitMQ sends: name, dash, explanation; beyond 255 characters cut to 252 and
/// `...`.
///
/// RabbitMQ counts characters although a short string holds bytes, and fails to answer when the
/// bytes are too many. Such a text is cut here by bytes, before the character that does not fit.
pub fn reply_text(code: ReplyCode, explanation: impl std::fmt::Display) -> String {
    const MAX_LEN: usize = u8::MAX as usize;
    const ELLIPSIS: &str = "...";
    let mut text = format!("{} - {explanation}", code.name());
    if text.len() <= MAX_LEN {
        return text;
    }
    if let Some((cut, _)) = text.char_indices().nth(MAX_LEN - ELLIPSIS.len())
        && MAX_LEN < text.chars().count()
    {
        text.truncate(cut);
        text.push_str(ELLIPSIS);
    }
    if MAX_LEN < text.len() {
        text.truncate(text.floor_char_boundary(MAX_LEN - ELLIPSIS.len()));
        text.push_str(ELLIPSIS);
    }
    text
}

#[cfg(test)]
mod tests;
