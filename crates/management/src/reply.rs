//! What a request is answered with.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use operator::Refusal;
use serde_json::{Value, json};

/// A handler's answer.
pub(crate) type Answer = Result<Reply, Failure>;

/// Status, headers beyond the usual ones, body.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// Done, nothing to say.
    pub(crate) fn no_content() -> Self {
        Self::empty(StatusCode::NO_CONTENT)
    }

    /// 201 for what is new, 204 for what was there.
    pub(crate) fn put(is_new: bool) -> Self {
        Self::empty(if is_new { StatusCode::CREATED } else { StatusCode::NO_CONTENT })
    }

    /// JSON that is there already.
    pub(crate) fn bytes(status: StatusCode, body: Vec<u8>) -> Self {
        let content_type = HeaderValue::from_static("application/json");
        Self { status, headers: vec![(CONTENT_TYPE, content_type)], body: body.into() }
    }

    pub(crate) fn json(value: &Value) -> Self {
        Self::with_status(StatusCode::OK, value)
    }

    pub(crate) fn with_status(status: StatusCode, value: &Value) -> Self {
        Self::bytes(status, value.to_string().into_bytes())
    }

    /// With a header more; a value that no header can have is left out.
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }
}

/// A refusal in RabbitMQ's words: `{"error": ..., "reason": ...}`.
#[derive(Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) error: &'static str,
    pub(crate) reason: Value,
}

impl Failure {
    fn new(status: StatusCode, error: &'static str, reason: impl Into<Value>) -> Self {
        Self { status, error, reason: reason.into() }
    }

    /// The request is wrong.
    pub(crate) fn bad_request(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", reason)
    }

    /// The request is wrong, in another word than `bad_request`.
    pub(crate) fn bad(error: &'static str, reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, reason)
    }

    /// There is no such object or path.
    pub(crate) fn no_object() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Object Not Found", "Not Found")
    }

    /// What is needed to do it is not there, or the asker may not see it.
    pub(crate) fn not_found(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", reason)
    }

    /// The user is known and may not.
    pub(crate) fn not_authorised(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_authorised", reason)
    }

    /// User and password do not go together.
    pub(crate) fn bad_credentials() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_authorized", "Not_Authorized")
    }

    /// Nobody may, in this way.
    pub(crate) fn forbidden(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", reason)
    }

    pub(crate) fn precondition_failed(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", reason)
    }

    pub(crate) fn service_unavailable(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", reason)
    }

    pub(crate) fn internal(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_server_error", reason)
    }

    /// A key that the body lacks.
    pub(crate) fn key_missing(keys: &[&str]) -> Self {
        let missing: Vec<String> =
            keys.iter().map(|key| format!("{{key_missing,{key}}}")).collect();
        let reason = format!("[{}]", missing.join(","));
        // Erlang breaks what is longer than a line between the elements.
        let is_long = 79 <= reason.len();
        Self::bad_request(if is_long { format!("[{}]", missing.join(",\n ")) } else { reason })
    }

    pub(crate) fn into_reply(self) -> Reply {
        Reply::with_status(self.status, &json!({ "error": self.error, "reason": self.reason }))
    }
}

/// What the broker refused, as RabbitMQ's API shows it.
impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchUser(name) => Self::bad_request(json!(["no_such_user", name])),
            Refusal::NoSuchExchange(name) => Self::bad_request(json!(["no_such_exchange", name])),
            Refusal::NoSuchVhost(_) => Self::not_found("vhost_not_found"),
            Refusal::VhostProtected(name) => Self::precondition_failed(format!(
                "Refusing to delete virtual host '{name}' because it is protected from deletion"
            )),
            Refusal::NotFound => Self::no_object(),
            Refusal::InvalidRegex { pattern, reason, position } => {
                // RabbitMQ shows Erlang's strings as the lists they are.
                let codes: Vec<u32> = reason.chars().map(u32::from).collect();
                Self::bad_request(json!(["invalid_regexp", pattern, [codes, position]]))
            }
            Refusal::Amqp { name: "not_found", text } => Self::not_found(text),
            Refusal::Amqp { name: "access_refused" | "not_allowed", .. } => {
                Self::not_authorised("Access refused.")
            }
            Refusal::Amqp { text, .. } | Refusal::Invalid(text) => Self::bad_request(text),
            Refusal::Closed { code: 540, text } => {
                let text = text.trim_start_matches("NOT_IMPLEMENTED - ");
                Self::bad_request(format!("540 {text}"))
            }
            Refusal::Closed { code, text } => Self::bad_request(format!("{code} {text}")),
            Refusal::UserExists(name) => Self::bad_request(format!("user '{name}' exists")),
            Refusal::NotSupported => Self::bad_request("not_supported"),
            Refusal::InvalidPid(pid) => Self::bad_request(format!("invalid pid {pid}")),
            Refusal::LoginFailed(_) => Self::bad_credentials(),
            Refusal::Unavailable(text) => Self::service_unavailable(text),
        }
    }
}
