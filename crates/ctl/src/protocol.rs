//! What goes over the socket: one request, then frames until the last one. Each is a four byte
//! length, big endian, and so many bytes of JSON. Both ends are always of one build, so nothing
//! here needs versions.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use operator::{Refusal, Term};

use crate::exit;

/// Longest request or frame. A row holds one queue's or one client's properties.
const FRAME_SIZE_MAX: u32 = 16 << 20;

/// A command after its words were checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// Its name in the table.
    pub(crate) command: String,
    /// Whom it is for; any node when nobody said.
    pub(crate) node: Option<String>,
    /// `-p`
    pub(crate) vhost: Option<String>,
    /// Arguments; for lists the columns.
    pub(crate) arguments: Vec<String>,
    /// Options of this command by long name.
    pub(crate) options: BTreeMap<String, String>,
    /// How long the operator waits.
    pub(crate) timeout_ms: Option<u64>,
}

impl Request {
    pub(crate) fn vhost(&self) -> &str {
        self.vhost.as_deref().unwrap_or("/")
    }

    pub(crate) fn has(&self, flag: &str) -> bool {
        self.options.get(flag).is_some_and(|value| value == "true")
    }

    /// The argument at a position that `prepare` made sure of.
    pub(crate) fn argument(&self, idx: usize) -> &str {
        self.arguments.get(idx).map_or("", String::as_str)
    }
}

/// One step of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Frame {
    /// The first frame: the node takes the request on.
    Begun,
    /// Rows follow, with these columns.
    Columns { names: Vec<String>, is_headed: bool },
    /// One row.
    Row(Vec<Term>),
    /// A line to show at once.
    Progress(String),
    /// The last frame: it worked.
    Done(Output),
    /// The last frame: it did not.
    Failed(Failure),
}

/// What a command that worked has to show besides rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Output {
    Nothing,
    /// A sentence; machines get it as `message`.
    Text(String),
    /// One text for people, one value for machines.
    Report {
        text: String,
        value: serde_json::Value,
    },
}

/// RabbitMQ's sentence for a node whose application does not run.
const APP_STOPPED: &str = "Error: this command requires the 'rabbit' app to be running on the \
                           target node. Start it with 'rabbitmqctl start_app'.";

/// Why it did not work: what to print and how to exit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) exit: u8,
    /// Whole; empty for none.
    pub(crate) text: String,
    /// What machines get instead.
    pub(crate) json: Option<serde_json::Value>,
}

impl Failure {
    /// A text printed as it is.
    pub(crate) fn plain(exit: u8, text: impl Into<String>) -> Self {
        Self { exit, text: text.into(), json: None }
    }

    /// What a node says whose application is stopped; the tool adds the usage.
    pub(crate) fn app_stopped() -> Self {
        Self::plain(exit::USAGE, APP_STOPPED)
    }

    pub(crate) fn is_app_stopped(&self) -> bool {
        self.text == APP_STOPPED
    }

    /// A text under RabbitMQ's usual heading.
    pub(crate) fn error(exit: u8, text: impl AsRef<str>) -> Self {
        Self::plain(exit, format!("Error:\n{}", text.as_ref()))
    }
}

impl From<Refusal> for Failure {
    /// RabbitMQ's words where all commands use the same; the others map theirs first.
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchUser(user) => {
                Self::error(exit::NOUSER, format!("User \"{user}\" does not exist"))
            }
            Refusal::UserExists(user) => {
                Self::error(exit::SOFTWARE, format!("User \"{user}\" already exists"))
            }
            Refusal::NoSuchVhost(vhost) => {
                Self::plain(exit::DATAERR, format!("Virtual host '{vhost}' does not exist"))
            }
            Refusal::NoSuchExchange(exchange) => {
                Self::error(exit::UNAVAILABLE, format!("Exchange {exchange} does not exist"))
            }
            Refusal::VhostProtected(_) => Self::error(
                exit::DATAERR,
                "Cannot delete this virtual host: it is protected from deletion. To lift the \
                 protection, inspect and update its metadata",
            ),
            Refusal::NotFound => {
                Self::plain(exit::DATAERR, "Object (queue, stream, exchange, etc) was not found")
            }
            Refusal::InvalidRegex { pattern, reason, position } => Self::error(
                exit::UNAVAILABLE,
                format!("{{:invalid_regexp, ~c\"{pattern}\", {{~c\"{reason}\", {position}}}}}"),
            ),
            Refusal::Amqp { name, text } => Self::error(
                exit::UNAVAILABLE,
                format!("{{:amqp_error, :{name}, ~c\"{text}\", :none}}"),
            ),
            Refusal::NotSupported => Self::error(exit::UNAVAILABLE, "not_supported"),
            Refusal::InvalidPid(pid) => Self::error(
                exit::UNAVAILABLE,
                format!("Error:\n{{:invalid_pid_syntax, \"{pid}\"}}"),
            ),
            Refusal::LoginFailed(user) => Self::error(
                exit::DATAERR,
                format!(
                    "Error: failed to authenticate user \"{user}\"\nuser '{user}' - invalid \
                     credentials"
                ),
            ),
            Refusal::Closed { text, .. } | Refusal::Invalid(text) | Refusal::Unavailable(text) => {
                Self::error(exit::UNAVAILABLE, text)
            }
        }
    }
}

pub(crate) fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_vec(message)?;
    let len = u32::try_from(json.len()).ok().filter(|len| *len <= FRAME_SIZE_MAX);
    let len = len.ok_or_else(|| io::Error::other("message too long"))?;
    to.write_all(&len.to_be_bytes())?;
    to.write_all(&json)
}

/// # Errors
/// The stream's; `InvalidData` when the length is over the limit or the JSON is none of ours.
pub(crate) fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut len = [0; 4];
    from.read_exact(&mut len)?;
    let len = u32::from_be_bytes(len);
    if FRAME_SIZE_MAX < len {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "message too long"));
    }
    let mut json = Vec::new();
    from.take(len.into()).read_to_end(&mut json)?;
    if json.len() != len as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&json)?)
}

#[cfg(test)]
mod tests;
