//! Where log lines go, how severe they must be for it, and what they look like: `log.*`.

use std::path::PathBuf;

/// All outputs. Those that are `None` get nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// `log.dir`, `$RABBITMQ_LOG_BASE`: where files with relative names are.
    pub dir: Option<PathBuf>,
    /// `log.console*`. On by default: a broker that was started by hand shows what it does.
    pub console: Option<LogConsole>,
    /// `log.file*`
    pub file: Option<LogFile>,
    /// `log.exchange*`: lines as messages of the exchange `amq.rabbitmq.log`.
    pub exchange: Option<LogOutput>,
    /// `log.CATEGORY.*`: what is said of these categories.
    pub categories: Vec<LogCategory>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            dir: None,
            console: Some(LogConsole::default()),
            file: None,
            exchange: None,
            categories: Vec::new(),
        }
    }
}

/// What all outputs have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOutput {
    /// Least severe level that is written.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
}

impl Default for LogOutput {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::default() }
    }
}

/// `log.console*`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogConsole {
    /// Level and looks.
    pub output: LogOutput,
    /// `log.console.stdio = stderr`
    pub is_stderr: bool,
    /// `log.console.use_colors`; `None`: where the output is a terminal.
    pub use_colors: Option<bool>,
    /// `log.console.color_esc_seqs.LEVEL`: what stands before lines of a level, if not the usual.
    pub colors: Vec<(LogLevel, String)>,
}

/// `log.file*`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFile {
    /// Level and looks.
    pub output: LogOutput,
    /// Inside the directory of log files unless absolute; `None` is the node's name and `.log`.
    pub name: Option<PathBuf>,
    /// When another file begins.
    pub rotation: LogRotation,
}

/// `log.CATEGORY.*`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogCategory {
    /// One of [`LOG_CATEGORIES`].
    pub name: &'static str,
    /// Least severe level; `None`: that of the output.
    pub level: Option<LogLevel>,
    /// A file of its own, which gets its lines instead of all other outputs.
    pub file: Option<PathBuf>,
    /// When that begins anew.
    pub rotation: LogRotation,
}

/// Categories that have keys.
pub const LOG_CATEGORIES: [&str; 8] =
    ["connection", "channel", "mirroring", "queue", "federation", "upgrade", "user", "ra"];

/// `log.file.rotation.*`: when a file is put aside as `NAME.0`, which makes `NAME.0` to `NAME.1` and
/// so on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRotation {
    /// `size`, bytes.
    pub size: Option<u64>,
    /// `date`
    pub schedule: Option<LogSchedule>,
    /// `count`: files put aside that are kept. With none of them lines are deleted at each rotation.
    pub count: u32,
    /// `compress`: with gzip, as `NAME.0.gz`.
    pub is_compressed: bool,
}

/// The times of `log.file.rotation.date`, in the machine's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSchedule {
    /// How often.
    pub every: LogPeriod,
    /// Hour of the day, unless each hour.
    pub hour: i8,
    /// Minute of the hour.
    pub minute: i8,
}

/// How often a file rotates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogPeriod {
    /// `$H30`
    Hour,
    /// `$D0`
    Day,
    /// `$W0`: on this day, 0 is Sunday.
    Week(i8),
    /// `$M1`: on this day, or on the last of a shorter month.
    Month(i8),
}

/// `log.*.formatter.*`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFormat {
    /// `formatter`
    pub kind: LogFormatKind,
    /// `time_format`
    pub time: LogTimeFormat,
    /// `level_format`
    pub level: LogLevelFormat,
    /// `single_line`: line breaks become commas.
    pub is_single_line: bool,
    /// `plaintext.format`
    pub template: Vec<LogPart>,
    /// `json.field_map`: fields in this order, with the names they get; `None` takes one away.
    pub fields: Vec<(String, Option<String>)>,
    /// `*:-` in it: no others.
    pub has_only_mapped: bool,
    /// `json.verbosity_map`: a number for each level.
    pub verbosity: Vec<(LogLevel, u64)>,
}

impl Default for LogFormat {
    fn default() -> Self {
        let kept = ["time", "level", "msg"].map(|it| (it.to_owned(), Some(it.to_owned())));
        Self {
            kind: LogFormatKind::Plaintext,
            time: LogTimeFormat::Rfc3339Space,
            level: LogLevelFormat::Lowercase,
            is_single_line: false,
            template: vec![
                LogPart::Variable("time".to_owned()),
                LogPart::Text(" [".to_owned()),
                LogPart::Variable("level".to_owned()),
                LogPart::Text("] ".to_owned()),
                LogPart::Variable("pid".to_owned()),
                LogPart::Text(" ".to_owned()),
                LogPart::Variable("msg".to_owned()),
            ],
            fields: kept.to_vec(),
            has_only_mapped: false,
            verbosity: Vec::new(),
        }
    }
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the configuration's words")]
pub enum LogFormatKind {
    Plaintext,
    Json,
}

/// A part of a line's template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPart {
    /// As it is.
    Text(String),
    /// `$name`
    Variable(String),
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogTimeFormat {
    /// `2026-11-20 21:00:26.840751+00:00`
    Rfc3339Space,
    /// The same with a `T` in the middle.
    Rfc3339T,
    /// Microseconds since 1970.
    EpochMicros,
    /// Seconds since 1970; in text with their fractions.
    EpochSecs,
    /// `2026-11-20 21:00:26.840`, in the machine's time zone.
    Lager,
}

/// How a level is written: `warning`, `WARNING`, `wrn`, `WRN`, `warn`, `WARN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "shown above")]
pub enum LogLevelFormat {
    Lowercase,
    Uppercase,
    Lowercase3,
    Uppercase3,
    Lowercase4,
    Uppercase4,
}

/// Levels, least severe first. `None` is more severe than every line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "syslog's names")]
pub enum LogLevel {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
    None,
}

/// Their names.
const LEVELS: [(&str, LogLevel); 9] = [
    ("debug", LogLevel::Debug),
    ("info", LogLevel::Info),
    ("notice", LogLevel::Notice),
    ("warning", LogLevel::Warning),
    ("error", LogLevel::Error),
    ("critical", LogLevel::Critical),
    ("alert", LogLevel::Alert),
    ("emergency", LogLevel::Emergency),
    ("none", LogLevel::None),
];

impl LogLevel {
    /// Names and levels, least severe first.
    pub(crate) const NAMED: &[(&str, Self)] = &LEVELS;

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        LEVELS[self as usize].0
    }

    /// The level of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        LEVELS.iter().find(|(it, _)| *it == name).map(|(_, level)| *level)
    }
}
