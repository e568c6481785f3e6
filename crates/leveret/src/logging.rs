//! Log lines in RabbitMQ's form.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use config::{Config, LogFile, LogLevel};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, LevelFilter};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{self as layer_filter, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt as layer, reload};

use crate::log_exchange::Publishing;
use crate::log_writer::LogWriter;

/// `2026-11-20 21:00:26.840751+00:00 [warning] <0.0.0> text key=value`
struct RabbitFormat;

impl<S, N> FormatEvent<S, N> for RabbitFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = level_name(*event.metadata().level());
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        write_time(&mut writer, since.as_secs(), since.subsec_micros())?;
        write!(writer, " [{level}] <0.0.0> ")?;
        ctx.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// RabbitMQ's word for a level.
pub(crate) fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

fn write_time(out: &mut Writer<'_>, seconds: u64, micros: u32) -> fmt::Result {
    let (year, month, day) = civil_date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    write!(out, "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}+00:00")
}

/// The Gregorian date of a day counted from 1970-01-01, by counting in eras of 400 years that
/// begin on the first of March.
fn civil_date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info | LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Critical | LogLevel::Alert | LogLevel::Emergency => {
            LevelFilter::ERROR
        }
        LogLevel::None => LevelFilter::OFF,
    }
}

/// Changes the level of one output.
type SetLevel = Box<dyn Fn(LevelFilter) + Send + Sync>;

/// Every output's level, once logging is set up.
static OUTPUTS: OnceLock<Vec<SetLevel>> = OnceLock::new();

/// Changes the level of all outputs; `Err` for a word that is no level.
pub(crate) fn set_level(name: &str) -> Result<(), ()> {
    let level = match name {
        "debug" => LevelFilter::DEBUG,
        "info" | "notice" => LevelFilter::INFO,
        "warning" => LevelFilter::WARN,
        "error" | "critical" | "alert" | "emergency" => LevelFilter::ERROR,
        "none" => LevelFilter::OFF,
        _ => return Err(()),
    };
    for set in OUTPUTS.get().into_iter().flatten() {
        set(level);
    }
    Ok(())
}

/// A filter that can be changed later, and what changes it.
fn changeable<S>(level: LogLevel, outputs: &mut Vec<SetLevel>) -> reload::Layer<LevelFilter, S>
where
    S: Subscriber,
{
    let (filter, handle) = reload::Layer::new(filter(level));
    outputs.push(Box::new(move |level| drop(handle.reload(level))));
    filter
}

/// Lets our own lines through, and of the raft library's (which come by way of the `log` crate) only
/// those that tell of trouble.
struct OwnOrRaftTrouble;

impl<S> layer_filter::Filter<S> for OwnOrRaftTrouble {
    fn enabled(&self, line: &Metadata<'_>, _: &layer_filter::Context<'_, S>) -> bool {
        let is_foreign = line.target() == "log" || line.target().starts_with("raft");
        !is_foreign || *line.level() <= Level::WARN
    }
}

/// Where log lines go. The last of them are written when it is dropped.
pub(crate) struct Log {
    /// For banners and `status`.
    pub(crate) places: Vec<String>,
    console: Option<LogWriter>,
    file: Option<LogWriter>,
}

impl Log {
    /// Shows a text that is no log line.
    pub(crate) fn print_to_console(&self, text: &str) {
        if let Some(console) = &self.console {
            console.print(text.as_bytes());
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        for writer in self.console.iter().chain(&self.file) {
            writer.flush();
        }
    }
}

/// What an output says when it takes lines again.
fn lost_lines(count: u64) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut line = String::new();
    let time = write_time(&mut Writer::new(&mut line), since.as_secs(), since.subsec_micros());
    debug_assert!(time.is_ok(), "strings take all");
    line + &format!(" [warning] <0.0.0> {count} log lines were lost: nobody took them in time\n")
}

/// Sends log lines where the configuration says.
pub(crate) fn init(config: &Config, data_dir: &Path) -> io::Result<Log> {
    let mut log = Log { places: Vec::new(), console: None, file: None };
    let mut outputs = Vec::new();
    let console = &config.log.console;
    if console.is_enabled {
        log.places.push(if console.is_stderr { "<stderr>" } else { "<stdout>" }.to_owned());
        log.console = Some(match console.is_stderr {
            true => LogWriter::start(io::stderr(), lost_lines)?,
            false => LogWriter::start(io::stdout(), lost_lines)?,
        });
    }
    match &config.log.file {
        LogFile::Off => {}
        LogFile::Named(name) => {
            let dir = config.log.dir.clone().unwrap_or_else(|| data_dir.join("log-files"));
            std::fs::create_dir_all(&dir)?;
            let path = dir.join(name);
            let file = OpenOptions::new().create(true).append(true).open(&path)?;
            log.places.push(path.display().to_string());
            log.file = Some(LogWriter::start(file, lost_lines)?);
        }
    }
    let to_console = log.console.clone().map(|writer| {
        layer::layer()
            .event_format(RabbitFormat)
            .with_writer(writer)
            .with_ansi(false)
            .with_filter(changeable(console.level, &mut outputs).and(OwnOrRaftTrouble))
    });
    let to_file = log.file.clone().map(|writer| {
        layer::layer()
            .event_format(RabbitFormat)
            .with_writer(writer)
            .with_ansi(false)
            .with_filter(changeable(config.log.file_level, &mut outputs).and(OwnOrRaftTrouble))
    });
    let to_exchange = config.log.exchange.is_enabled.then(|| {
        layer::layer()
            .event_format(RabbitFormat)
            .with_writer(Publishing)
            .with_ansi(false)
            .with_filter(changeable(config.log.exchange.level, &mut outputs).and(OwnOrRaftTrouble))
    });
    OUTPUTS.get_or_init(|| outputs);
    tracing_subscriber::registry().with(to_console).with(to_file).with(to_exchange).init();
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::civil_date;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil_date(0), (1970, 1, 1));
        assert_eq!(civil_date(59), (1970, 3, 1));
        assert_eq!(civil_date(11_016), (2000, 2, 29));
        assert_eq!(civil_date(20_778), (2026, 11, 21));
    }
}
