//! What is logged, before it has a form.

use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use config::LogLevel;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};

use super::category;

/// One message; it may have several lines.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Microseconds since 1970.
    pub(super) at_us: i64,
    pub(super) level: LogLevel,
    pub(super) category: Option<&'static str>,
    pub(super) text: String,
    /// Where in the program.
    pub(super) source: Option<(&'static str, u32)>,
}

impl Line {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let metadata = event.metadata();
        let mut text = Text::default();
        event.record(&mut text);
        Self {
            at_us: now_us(),
            level: level(metadata),
            category: category::of(metadata.target()),
            text: text.0,
            source: metadata.file().zip(metadata.line()),
        }
    }

    /// What the log says of itself.
    pub(super) fn own(level: LogLevel, text: String) -> Self {
        Self { at_us: now_us(), level, category: None, text, source: None }
    }
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// RabbitMQ's word for a level.
pub(super) fn level(metadata: &Metadata<'_>) -> LogLevel {
    match *metadata.level() {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warning,
        Level::INFO => LogLevel::Info,
        Level::DEBUG | Level::TRACE => LogLevel::Debug,
    }
}

/// The message, and behind it fields as `name=value`.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => {
                // Fields may come before it.
                let fields = std::mem::take(&mut self.0);
                write!(self.0, "{value:?}{}{fields}", if fields.is_empty() { "" } else { " " })
            }
            // What the `log` crate's lines are made of.
            name if name.starts_with("log.") => Ok(()),
            name => {
                let space = if self.0.is_empty() { "" } else { " " };
                write!(self.0, "{space}{name}={value:?}")
            }
        };
        debug_assert!(written.is_ok(), "strings take all");
    }
}
