//! The one place where what went wrong becomes a reply code, a text and a scope.

use std::fmt;

use amqp091_codec::{FrameError, MethodError, MethodId, ReplyCode, reply_text};
use topology::{Refusal, RefusalKind};

/// Something the client is told by `channel.close` or `connection.close`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: ReplyCode,
    /// The complete reply text, at most 255 bytes.
    pub(crate) text: String,
    /// The method to blame, [`MethodId::NONE`] if none is.
    pub(crate) method: MethodId,
}

impl Failure {
    pub(crate) fn new(code: ReplyCode, explanation: impl fmt::Display) -> Self {
        Self { code, text: reply_text(code, explanation), method: MethodId::NONE }
    }

    /// RabbitMQ's own fault: it names the code and explains nothing.
    pub(crate) fn internal() -> Self {
        let code = ReplyCode::InternalError;
        Self { code, text: code.name().to_owned(), method: MethodId::NONE }
    }

    /// Blames a method, unless one is blamed already or RabbitMQ fell over its own feet.
    #[must_use]
    pub(crate) fn of(mut self, method: MethodId) -> Self {
        if self.method == MethodId::NONE && self.text != self.code.name() {
            self.method = method;
        }
        self
    }

    /// The text without the name of the code, for logs.
    pub(crate) fn explanation(&self) -> &str {
        let rest = self.text.strip_prefix(self.code.name()).unwrap_or(&self.text);
        rest.strip_prefix(" - ").unwrap_or(rest)
    }

    /// The name of the code as RabbitMQ's logs write it.
    pub(crate) fn code_name(&self) -> String {
        self.code.name().to_ascii_lowercase()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.kind {
            RefusalKind::NotFound => ReplyCode::NotFound,
            RefusalKind::PreconditionFailed | RefusalKind::AlreadyExists => {
                ReplyCode::PreconditionFailed
            }
            RefusalKind::AccessRefused => ReplyCode::AccessRefused,
            RefusalKind::ResourceLocked => ReplyCode::ResourceLocked,
            RefusalKind::NotAllowed => ReplyCode::NotAllowed,
            RefusalKind::NotImplemented => ReplyCode::NotImplemented,
            RefusalKind::InternalError => ReplyCode::InternalError,
        };
        Self::new(code, refusal.text)
    }
}

/// Why input cannot be taken any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A close frame says it: on the channel where the code allows that, else on the connection.
    Failure(Failure),
    /// RabbitMQ drops the socket without a word.
    Drop,
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Failure(refusal.into())
    }
}

impl From<FrameError> for Fault {
    fn from(error: FrameError) -> Self {
        error.reply_code().map_or(Self::Drop, |code| Failure::new(code, error).into())
    }
}

impl From<MethodError> for Fault {
    fn from(error: MethodError) -> Self {
        match error.reply() {
            Some((code, method)) => Failure::new(code, error).of(method).into(),
            None => Self::Drop,
        }
    }
}

/// 406 with an explanation.
pub(crate) fn precondition_failed(explanation: impl fmt::Display) -> Failure {
    Failure::new(ReplyCode::PreconditionFailed, explanation)
}

/// 504 with an explanation.
pub(crate) fn channel_error(explanation: impl fmt::Display) -> Failure {
    Failure::new(ReplyCode::ChannelError, explanation)
}

/// 530 with an explanation.
pub(crate) fn not_allowed(explanation: impl fmt::Display) -> Failure {
    Failure::new(ReplyCode::NotAllowed, explanation)
}

/// 540 with an explanation.
pub(crate) fn not_implemented(explanation: impl fmt::Display) -> Failure {
    Failure::new(ReplyCode::NotImplemented, explanation)
}

/// 503: no client may send this.
pub(crate) fn unimplemented_method() -> Failure {
    Failure::new(ReplyCode::CommandInvalid, "unimplemented method")
}

/// 404: a shortcut for a name that was never given.
pub(crate) fn no_previous_queue() -> Failure {
    Failure::new(ReplyCode::NotFound, "no previously declared queue")
}
