//! Where log lines go: to the console, to files, to an exchange; each with levels and looks of its own.

mod category;
pub(crate) mod exchange;
mod format;
mod line;
mod rotation;
mod schedule;
mod writer;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use config::{Log as LogConfig, LogConsole, LogFile, LogLevel, LogOutput, LogRotation};
use jiff::tz::TimeZone;
use parking_lot::RwLock;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use format::Formatter;
use line::Line;
use rotation::RotatingFile;
use writer::LogWriter;

/// What one output takes.
#[derive(Clone, Debug)]
struct Levels {
    /// Of lines without a category, and of those that are not below.
    general: LogLevel,
    categories: Vec<(&'static str, LogLevel)>,
}

impl Levels {
    fn takes(&self, level: LogLevel, category: Option<&str>) -> bool {
        let own = self.categories.iter().find(|(name, _)| Some(*name) == category);
        own.map_or(self.general, |(_, level)| *level) <= level
    }

    fn least(&self) -> LogLevel {
        let categories = self.categories.iter().map(|(_, level)| *level);
        categories.fold(self.general, LogLevel::min)
    }

    /// What is switched off stays so.
    fn set(&mut self, level: LogLevel) {
        let of_categories = self.categories.iter_mut().map(|(_, level)| level);
        for own in of_categories.chain([&mut self.general]) {
            if *own != LogLevel::None {
                *own = level;
            }
        }
    }
}

enum Sink {
    Writer(LogWriter),
    Exchange,
}

struct Output {
    levels: RwLock<Levels>,
    formatter: Formatter,
    sink: Sink,
}

impl Output {
    fn write(&self, line: &Line) {
        let text = self.formatter.format(line);
        match &self.sink {
            Sink::Writer(writer) => writer.print(text.as_bytes()),
            Sink::Exchange => exchange::publish_line(line.level, text.into_bytes()),
        }
    }

    fn takes(&self, level: LogLevel, category: Option<&str>) -> bool {
        self.levels.read().takes(level, category)
    }
}

/// All outputs, once logging is set up.
static OUTPUTS: OnceLock<Arc<[Output]>> = OnceLock::new();

/// Hands lines to the outputs.
struct ToOutputs(Arc<[Output]>);

/// The raft library logs through the `log` crate, much more than anybody wants to read.
fn is_raft_chatter(metadata: &Metadata<'_>) -> bool {
    let is_foreign = metadata.target() == "log" || metadata.target().starts_with("raft");
    is_foreign && line::level(metadata) < LogLevel::Warning
}

impl<S: Subscriber> Layer<S> for ToOutputs {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let (level, category) = (line::level(metadata), category::of(metadata.target()));
        !is_raft_chatter(metadata) && self.0.iter().any(|output| output.takes(level, category))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = Line::of(event);
        for output in &*self.0 {
            if output.takes(line.level, line.category) {
                output.write(&line);
            }
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let levels = self.0.iter().map(|output| output.levels.read().least());
        Some(match levels.min().unwrap_or(LogLevel::None) {
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Notice | LogLevel::Warning => LevelFilter::WARN,
            LogLevel::Error => LevelFilter::ERROR,
            _ => LevelFilter::OFF,
        })
    }
}

/// Changes the level of all outputs and categories, as RabbitMQ does; `Err` for a word that is no
/// level.
pub(crate) fn set_level(name: &str) -> Result<(), ()> {
    let level = LogLevel::named(name).ok_or(())?;
    for output in OUTPUTS.get().into_iter().flat_map(|outputs| outputs.iter()) {
        output.levels.write().set(level);
    }
    // Who logs has noted what was of interest before.
    tracing::callsite::rebuild_interest_cache();
    Ok(())
}

/// Where log lines go. The last of them are written when it is dropped.
pub(crate) struct Log {
    /// For banners and `status`: files first, in the order of their names.
    pub(crate) places: Vec<String>,
    console: Option<LogWriter>,
    files: Vec<LogWriter>,
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
        for writer in self.console.iter().chain(&self.files) {
            writer.flush();
        }
    }
}

/// Builds outputs one after the other.
struct Builder<'a> {
    config: &'a LogConfig,
    /// Where files are.
    dir: PathBuf,
    zone: TimeZone,
    outputs: Vec<Output>,
    log: Log,
}

/// Sends log lines where the configuration says.
pub(crate) fn init(config: &LogConfig, data_dir: &Path, node_name: &str) -> io::Result<Log> {
    let log = Log { places: Vec::new(), console: None, files: Vec::new() };
    let dir = config.dir.clone().unwrap_or_else(|| data_dir.join("log-files"));
    let zone = TimeZone::system();
    let mut builder = Builder { config, dir, zone, outputs: Vec::new(), log };
    let main = config.file.as_ref().map(|file| builder.path_of(file, node_name));
    if let Some((file, path)) = config.file.as_ref().zip(main.as_deref()) {
        builder.add_file(file, path)?;
    }
    builder.add_category_files(main.as_deref())?;
    if let Some(console) = &config.console {
        builder.add_console(console)?;
    }
    if let Some(output) = &config.exchange {
        builder.log.places.push(format!("exchange:{}", exchange::EXCHANGE));
        let formatter = builder.formatter(output, None);
        builder.add(output.level, formatter, Sink::Exchange, None);
    }
    builder.log.places.sort_by_key(|place| !place.starts_with('/'));
    let outputs: Arc<[Output]> = builder.outputs.into();
    OUTPUTS.get_or_init(|| outputs.clone());
    tracing_subscriber::registry().with(ToOutputs(outputs)).init();
    Ok(builder.log)
}

impl Builder<'_> {
    fn path_of(&self, file: &LogFile, node_name: &str) -> PathBuf {
        let usual = || format!("{node_name}.log").into();
        self.dir.join(file.name.clone().unwrap_or_else(usual))
    }

    fn formatter(&self, output: &LogOutput, console: Option<&LogConsole>) -> Formatter {
        let is_terminal = |console: &LogConsole| match console.is_stderr {
            true => io::stderr().is_terminal(),
            false => io::stdout().is_terminal(),
        };
        let colors = console
            .filter(|console| console.use_colors.unwrap_or_else(|| is_terminal(console)))
            .map(|console| console.colors.clone());
        Formatter::new(output.format.clone(), self.zone.clone(), colors)
    }

    /// An output for everything but what goes to files of categories. `path` is its own, if it has one.
    fn add(&mut self, general: LogLevel, formatter: Formatter, sink: Sink, path: Option<&Path>) {
        let of_category = |category: &config::LogCategory| {
            let file = category.file.as_ref().map(|file| self.dir.join(file));
            let level = match file {
                Some(file) if Some(&*file) != path => LogLevel::None,
                _ => category.level.unwrap_or(general),
            };
            (category.name, level)
        };
        let categories = self.config.categories.iter().map(of_category).collect();
        let levels = RwLock::new(Levels { general, categories });
        self.outputs.push(Output { levels, formatter, sink });
    }

    fn add_console(&mut self, console: &LogConsole) -> io::Result<()> {
        let place = if console.is_stderr { "<stderr>" } else { "<stdout>" };
        self.log.places.push(place.to_owned());
        let formatter = self.formatter(&console.output, Some(console));
        let report = lost_lines(formatter.clone());
        let writer = match console.is_stderr {
            true => LogWriter::start(io::stderr(), report)?,
            false => LogWriter::start(io::stdout(), report)?,
        };
        self.log.console = Some(writer.clone());
        self.add(console.output.level, formatter, Sink::Writer(writer), None);
        Ok(())
    }

    fn open(
        &mut self,
        path: &Path,
        rotation: &LogRotation,
        formatter: &Formatter,
    ) -> io::Result<Sink> {
        let file = RotatingFile::open(path.to_owned(), rotation.clone(), rotation::local_time)?;
        let writer = LogWriter::start(file, lost_lines(formatter.clone()))?;
        self.log.places.push(path.display().to_string());
        self.log.files.push(writer.clone());
        Ok(Sink::Writer(writer))
    }

    fn add_file(&mut self, file: &LogFile, path: &Path) -> io::Result<()> {
        let formatter = self.formatter(&file.output, None);
        let sink = self.open(path, &file.rotation, &formatter)?;
        self.add(file.output.level, formatter, sink, Some(path));
        Ok(())
    }

    /// The files of categories; several may share one, which is not the main one.
    fn add_category_files(&mut self, main: Option<&Path>) -> io::Result<()> {
        let path_of =
            |category: &config::LogCategory| category.file.as_ref().map(|file| self.dir.join(file));
        let with_files: Vec<_> =
            self.config.categories.iter().zip(self.config.categories.iter().map(path_of)).collect();
        let mut done: Vec<PathBuf> = main.map(Path::to_owned).into_iter().collect();
        for (category, path) in &with_files {
            let Some(path) = path.as_ref().filter(|path| !done.contains(path)) else { continue };
            done.push(path.clone());
            let sharing = with_files.iter().filter(|(_, it)| it.as_ref() == Some(path));
            let level = |it: &config::LogCategory| it.level.unwrap_or(LogLevel::Info);
            let categories = sharing.map(|(it, _)| (it.name, level(it))).collect();
            let formatter = self.formatter(&LogOutput::default(), None);
            let sink = self.open(path, &category.rotation, &formatter)?;
            let levels = RwLock::new(Levels { general: LogLevel::None, categories });
            self.outputs.push(Output { levels, formatter, sink });
        }
        Ok(())
    }
}

/// What an output says when it takes lines again.
fn lost_lines(formatter: Formatter) -> impl Fn(u64) -> String + Send + 'static {
    move |count| {
        let text = format!("{count} log lines were lost: nobody took them in time");
        formatter.format(&Line::own(LogLevel::Warning, text))
    }
}
