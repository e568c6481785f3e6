//! From a message to lines of text or JSON, as RabbitMQ writes them.

use std::borrow::Cow;
use std::fmt::Write as _;

use config::{LogFormat, LogFormatKind, LogLevel, LogLevelFormat, LogPart, LogTimeFormat};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::category;
use super::line::Line;

/// We have no processes; RabbitMQ's lines name one.
const PID: &str = "<0.0.0>";

/// Ends a colour.
const PLAIN: &str = "\x1b[0m";

/// What stands before coloured lines, by RabbitMQ's defaults.
const COLORS: [(LogLevel, &str); 7] = [
    (LogLevel::Debug, "\x1b[38;5;246m"),
    (LogLevel::Notice, "\x1b[38;5;87m"),
    (LogLevel::Warning, "\x1b[38;5;214m"),
    (LogLevel::Error, "\x1b[38;5;160m"),
    (LogLevel::Critical, "\x1b[1;37m\x1b[48;5;20m"),
    (LogLevel::Alert, "\x1b[1;37m\x1b[48;5;93m"),
    (LogLevel::Emergency, "\x1b[1;37m\x1b[48;5;196m"),
];

/// Names of levels with three and four letters, least severe first.
const SHORT: [(&str, &str); 8] = [
    ("dbg", "dbug"),
    ("inf", "info"),
    ("ntc", "noti"),
    ("wrn", "warn"),
    ("err", "erro"),
    ("crt", "crit"),
    ("alt", "alrt"),
    ("emg", "emgc"),
];

/// How one output's lines look.
#[derive(Clone, Debug)]
pub(super) struct Formatter {
    format: LogFormat,
    zone: TimeZone,
    /// Own colours, if lines are coloured at all.
    colors: Option<Vec<(LogLevel, String)>>,
}

impl Formatter {
    pub(super) fn new(
        format: LogFormat,
        zone: TimeZone,
        colors: Option<Vec<(LogLevel, String)>>,
    ) -> Self {
        Self { format, zone, colors }
    }

    /// The line or lines, each with its end.
    pub(super) fn format(&self, line: &Line) -> String {
        match self.format.kind {
            LogFormatKind::Plaintext => self.plaintext(line),
            LogFormatKind::Json => self.json(line),
        }
    }

    /// Every line of a message has all that stands before it, as RabbitMQ's have.
    fn plaintext(&self, line: &Line) -> String {
        let message = self.message(line);
        let is_message = |part: &LogPart| matches!(part, LogPart::Variable(name) if name == "msg");
        let (color, plain) = self.color(line.level);
        let mut out = String::new();
        for text in message.split('\n') {
            out.push_str(color);
            let start = out.len();
            for part in &self.format.template {
                match part {
                    part if is_message(part) => out.push_str(text),
                    LogPart::Text(text) => out.push_str(text),
                    LogPart::Variable(name) => out.push_str(&self.variable(name, line)),
                }
            }
            let len = out[start..].trim_end_matches(' ').len();
            // What RabbitMQ strips is behind the prefix alone.
            if !text.is_empty() {
                out.truncate(start + len);
            }
            out.push_str(plain);
            out.push('\n');
        }
        out
    }

    fn color(&self, level: LogLevel) -> (&str, &'static str) {
        let Some(own) = &self.colors else { return ("", "") };
        let own = own.iter().rfind(|(it, _)| *it == level).map(|(_, escape)| escape.as_str());
        let usual = || COLORS.iter().find(|(it, _)| *it == level).map_or("", |(_, it)| it);
        (own.unwrap_or_else(usual), PLAIN)
    }

    fn variable(&self, name: &str, line: &Line) -> String {
        match name {
            "time" => self.time(line.at_us),
            "level" => self.level(line.level),
            "pid" => PID.to_owned(),
            "domain" => category::domain(line.category),
            "file" => line.source.map_or_else(String::new, |(file, _)| file.to_owned()),
            "line" => line.source.map_or_else(String::new, |(_, line)| line.to_string()),
            _ => format!("<unknown {name}>"),
        }
    }

    fn json(&self, line: &Line) -> String {
        let time = match self.format.time {
            LogTimeFormat::EpochMicros => line.at_us.into(),
            LogTimeFormat::EpochSecs => (line.at_us / 1_000_000).into(),
            _ => self.time(line.at_us).into(),
        };
        let mut fields: Vec<(&str, Value)> = vec![
            ("time", time),
            ("level", self.level(line.level).into()),
            ("msg", self.message(line).into()),
            ("pid", PID.into()),
            ("domain", category::domain(line.category).into()),
        ];
        if let Some((file, number)) = line.source {
            fields.extend([("file", file.into()), ("line", number.into())]);
        }
        let verbosity = self.format.verbosity.iter().find(|(level, _)| *level == line.level);
        fields.extend(verbosity.map(|(_, number)| ("verbosity", Value::from(*number))));
        self.mapped(fields) + "\n"
    }

    /// Mapped fields first, in the order of the map, then the others.
    fn mapped(&self, mut fields: Vec<(&str, Value)>) -> String {
        let mut out = String::from("{");
        let mut write = |name: &str, value: &Value| {
            let comma = if out.len() == 1 { "" } else { "," };
            let written = write!(out, "{comma}{}:{value}", Value::from(name));
            debug_assert!(written.is_ok(), "strings take all");
        };
        for (old, new) in &self.format.fields {
            let Some(at) = fields.iter().position(|(name, _)| name == old) else { continue };
            let (_, value) = fields.remove(at);
            if let Some(new) = new {
                write(new, &value);
            }
        }
        if !self.format.has_only_mapped {
            fields.iter().for_each(|(name, value)| write(name, value));
        }
        out + "}"
    }

    fn message<'a>(&self, line: &'a Line) -> Cow<'a, str> {
        if !self.format.is_single_line || !line.text.contains('\n') {
            return Cow::Borrowed(&line.text);
        }
        let lines = line.text.trim().split('\n').map(|it| it.trim_start());
        let mut joined = String::new();
        for text in lines.map(|it| it.trim_end_matches('\r').trim_end_matches(',')) {
            if !joined.is_empty() {
                joined.push_str(", ");
            }
            joined.push_str(text);
        }
        Cow::Owned(joined)
    }

    fn level(&self, level: LogLevel) -> String {
        let (three, four) = SHORT.get(level as usize).copied().unwrap_or_default();
        match self.format.level {
            LogLevelFormat::Lowercase => level.name().to_owned(),
            LogLevelFormat::Uppercase => level.name().to_uppercase(),
            LogLevelFormat::Lowercase3 => three.to_owned(),
            LogLevelFormat::Uppercase3 => three.to_uppercase(),
            LogLevelFormat::Lowercase4 => four.to_owned(),
            LogLevelFormat::Uppercase4 => four.to_uppercase(),
        }
    }

    fn time(&self, at_us: i64) -> String {
        let at = Timestamp::from_microsecond(at_us).unwrap_or_default();
        let local = at.to_zoned(self.zone.clone());
        match self.format.time {
            LogTimeFormat::Rfc3339Space => local.strftime("%Y-%m-%d %H:%M:%S.%6f%:z").to_string(),
            LogTimeFormat::Rfc3339T => local.strftime("%Y-%m-%dT%H:%M:%S.%6f%:z").to_string(),
            LogTimeFormat::Lager => local.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string(),
            LogTimeFormat::EpochMicros => at_us.to_string(),
            LogTimeFormat::EpochSecs => {
                format!("{}.{:06}", at_us / 1_000_000, at_us % 1_000_000)
            }
        }
    }
}

#[cfg(test)]
mod tests;
