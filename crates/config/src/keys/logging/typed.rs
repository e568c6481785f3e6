//! What was typed about logging, and what it comes to together with the environment.

use std::path::PathBuf;

use crate::{
    LOG_CATEGORIES, Log, LogCategory, LogConsole, LogFile, LogFormat, LogFormatKind, LogLevel,
    LogLevelFormat, LogOutput, LogPart, LogRotation, LogSchedule, LogTimeFormat,
};

/// `log.*` as typed.
#[derive(Debug, Default)]
pub(crate) struct TypedLog {
    pub(super) dir: Option<PathBuf>,
    pub(super) has_console: Option<bool>,
    pub(super) is_stderr: Option<bool>,
    pub(super) use_colors: Option<bool>,
    pub(super) colors: Vec<(LogLevel, String)>,
    pub(super) console: TypedOutput,
    /// `Some(None)` is `false`.
    pub(super) file_name: Option<Option<PathBuf>>,
    pub(super) file: TypedOutput,
    pub(super) has_exchange: Option<bool>,
    pub(super) exchange: TypedOutput,
    pub(super) connection: TypedCategory,
    pub(super) channel: TypedCategory,
    pub(super) mirroring: TypedCategory,
    pub(super) queue: TypedCategory,
    pub(super) federation: TypedCategory,
    pub(super) upgrade: TypedCategory,
    pub(super) user: TypedCategory,
    pub(super) ra: TypedCategory,
    pub(super) default_level: Option<LogLevel>,
    /// Of which only the rotation has keys.
    pub(super) default: TypedCategory,
}

/// `log.OUTPUT.*`
#[derive(Debug, Default)]
pub(super) struct TypedOutput {
    pub(super) level: Option<LogLevel>,
    pub(super) kind: Option<LogFormatKind>,
    pub(super) time: Option<LogTimeFormat>,
    pub(super) level_format: Option<LogLevelFormat>,
    pub(super) is_single_line: Option<bool>,
    pub(super) template: Option<Vec<LogPart>>,
    pub(super) field_map: Option<FieldMap>,
    pub(super) verbosity: Option<Vec<(LogLevel, u64)>>,
    /// Of files alone.
    pub(super) rotation: TypedRotation,
}

/// `log.CATEGORY.*`
#[derive(Debug, Default)]
pub(super) struct TypedCategory {
    pub(super) level: Option<LogLevel>,
    pub(super) file: Option<PathBuf>,
    pub(super) rotation: TypedRotation,
}

/// `json.field_map`
#[derive(Debug, Default)]
pub(super) struct FieldMap {
    pub(super) fields: Vec<(String, Option<String>)>,
    pub(super) has_only_mapped: bool,
}

/// `log.*.rotation.*`
#[derive(Debug, Default)]
pub(super) struct TypedRotation {
    pub(super) size: Option<u64>,
    pub(super) schedule: Option<Option<LogSchedule>>,
    pub(super) count: Option<u32>,
    pub(super) is_compressed: Option<bool>,
}

impl TypedRotation {
    fn resolve(&self, default: &Self) -> LogRotation {
        LogRotation {
            size: self.size.or(default.size),
            schedule: self.schedule.or(default.schedule).flatten(),
            count: self.count.or(default.count).unwrap_or_default(),
            is_compressed: self.is_compressed.or(default.is_compressed).unwrap_or_default(),
        }
    }
}

/// What the environment says of all outputs.
#[derive(Default)]
struct FromEnvironment {
    level: Option<LogLevel>,
    categories: Vec<(String, LogLevel)>,
    is_json: Option<bool>,
    use_colors: Option<bool>,
    is_single_line: Option<bool>,
}

impl FromEnvironment {
    /// `$RABBITMQ_LOG`: `debug,connection=error,+json`. As in RabbitMQ, a category without a level is
    /// meant to have `info`, and a level that there is not is passed over.
    fn read(text: &str) -> Self {
        let mut read = Self::default();
        for word in text.split(',').filter(|word| !word.is_empty()) {
            match word {
                "+json" | "-json" => read.is_json = Some(word.starts_with('+')),
                "+color" | "-color" => read.use_colors = Some(word.starts_with('+')),
                "+single_line" | "-single_line" => {
                    read.is_single_line = Some(word.starts_with('+'));
                }
                _ => match (word.split_once('='), LogLevel::named(word)) {
                    (None, Some(level)) => read.level = Some(level),
                    (None, None) => read.categories.push((word.to_owned(), LogLevel::Info)),
                    (Some((category, level)), _) => {
                        let level = LogLevel::named(level);
                        read.categories.extend(level.map(|level| (category.to_owned(), level)));
                    }
                },
            }
        }
        read
    }
}

impl TypedOutput {
    fn resolve(&self, default_level: LogLevel, env: &FromEnvironment) -> LogOutput {
        let usual = LogFormat::default();
        let env_kind = env.is_json.map(|is_json| match is_json {
            true => LogFormatKind::Json,
            false => LogFormatKind::Plaintext,
        });
        let (fields, has_only_mapped) = match &self.field_map {
            Some(map) => (map.fields.clone(), map.has_only_mapped),
            None => (usual.fields, false),
        };
        let is_single_line = self.is_single_line.or(env.is_single_line);
        let format = LogFormat {
            kind: self.kind.or(env_kind).unwrap_or(usual.kind),
            time: self.time.unwrap_or(usual.time),
            level: self.level_format.unwrap_or(usual.level),
            is_single_line: is_single_line.unwrap_or_default(),
            template: self.template.clone().unwrap_or(usual.template),
            fields,
            has_only_mapped,
            verbosity: self.verbosity.clone().unwrap_or_default(),
        };
        LogOutput { level: self.level.unwrap_or(default_level), format }
    }

    /// As in RabbitMQ, naming a level switches an output on, and `none` off.
    fn is_wanted(&self) -> Option<bool> {
        self.level.map(|level| level != LogLevel::None)
    }
}

impl TypedLog {
    fn category(&self, name: &str) -> &TypedCategory {
        match name {
            "connection" => &self.connection,
            "channel" => &self.channel,
            "mirroring" => &self.mirroring,
            "queue" => &self.queue,
            "federation" => &self.federation,
            "upgrade" => &self.upgrade,
            "user" => &self.user,
            _ => &self.ra,
        }
    }

    fn categories(&self, env: &FromEnvironment) -> Vec<LogCategory> {
        let said = |name: &'static str| {
            let typed = self.category(name);
            let of_env = env.categories.iter().rfind(|(it, _)| it == name).map(|(_, it)| *it);
            let level = of_env.or(typed.level);
            let is_said = level.is_some() || typed.file.is_some();
            is_said.then(|| LogCategory {
                name,
                level,
                file: typed.file.clone(),
                rotation: typed.rotation.resolve(&self.default.rotation),
            })
        };
        LOG_CATEGORIES.into_iter().filter_map(said).collect()
    }

    /// What it comes to; `env` answers for `$RABBITMQ_LOG`, `$RABBITMQ_LOGS` and `$RABBITMQ_LOG_BASE`.
    pub(crate) fn resolve(self, env: &dyn Fn(&str) -> Option<String>) -> Log {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let env_log = env("RABBITMQ_LOG").map(|text| FromEnvironment::read(&text));
        let env_log = env_log.unwrap_or_default();
        let level = env_log.level.or(self.default_level).unwrap_or(LogLevel::Info);
        let output = |typed: &TypedOutput| typed.resolve(level, &env_log);
        let console = |is_stderr| LogConsole {
            output: output(&self.console),
            is_stderr,
            use_colors: self.use_colors.or(env_log.use_colors),
            colors: self.colors.clone(),
        };
        let file = |name| LogFile {
            output: output(&self.file),
            name,
            rotation: self.file.rotation.resolve(&self.default.rotation),
        };
        let has_console = self.has_console.or(self.console.is_wanted()).unwrap_or(true);
        let has_exchange = self.has_exchange.or(self.exchange.is_wanted()).unwrap_or(false);
        let is_file_named = matches!(self.file_name, Some(Some(_)));
        let is_file_off = matches!(self.file_name, Some(None));
        let has_file = is_file_named || !is_file_off && self.file.is_wanted() == Some(true);
        let mut log = Log {
            dir: env("RABBITMQ_LOG_BASE").map(PathBuf::from).or(self.dir.clone()),
            console: has_console.then(|| console(self.is_stderr.unwrap_or_default())),
            file: has_file.then(|| file(self.file_name.clone().flatten())),
            exchange: has_exchange.then(|| output(&self.exchange)),
            categories: self.categories(&env_log),
        };
        if let Some(only) = env("RABBITMQ_LOGS").filter(|it| is_known_place(it)) {
            (log.console, log.file, log.exchange) = match &*only {
                "-" => (Some(console(false)), None, None),
                "-stderr" => (Some(console(true)), None, None),
                only if only.starts_with("exchange:") => (None, None, Some(output(&self.exchange))),
                path => (None, Some(file(Some(path.into()))), None),
            };
        }
        log
    }
}

/// Whether `$RABBITMQ_LOGS` names something that there is here, too.
pub(crate) fn is_known_place(place: &str) -> bool {
    !place.starts_with("syslog:") && !place.starts_with("journald:")
}
