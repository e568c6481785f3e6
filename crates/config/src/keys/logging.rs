//! Where log lines go: `log.*`.

use super::Key;
use crate::{
    LogFile, LogLevel,
    value::{boolean, one_of},
};

const LEVELS: &[(&str, LogLevel)] = &[
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

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "log.dir",
        about: "directory of log files",
        set: |typed, entry| {
            typed.config.log.dir = Some(entry.value.into());
            Ok(())
        },
    },
    Key {
        name: "log.console",
        about: "write logs to the console",
        set: |typed, entry| {
            typed.config.log.console.is_enabled = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "log.console.level",
        about: "least severe level written to the console",
        set: |typed, entry| {
            typed.config.log.console.level = one_of(entry.value, LEVELS)?;
            Ok(())
        },
    },
    Key {
        name: "log.console.stdio",
        about: "which stream the console log goes to: stdout or stderr",
        set: |typed, entry| {
            let choices = [("stdout", false), ("stderr", true)];
            typed.config.log.console.is_stderr = one_of(entry.value, &choices)?;
            Ok(())
        },
    },
    Key {
        name: "log.file",
        about: "log file name, or `false`",
        set: |typed, entry| {
            typed.config.log.file = match entry.value {
                "false" => LogFile::Off,
                name => LogFile::Named(name.into()),
            };
            Ok(())
        },
    },
    Key {
        name: "log.file.level",
        about: "least severe level written to the file",
        set: |typed, entry| {
            typed.config.log.file_level = one_of(entry.value, LEVELS)?;
            Ok(())
        },
    },
    Key {
        name: "log.exchange",
        about: "publish log lines to the exchange amq.rabbitmq.log of the default vhost",
        set: |typed, entry| {
            typed.config.log.exchange.is_enabled = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "log.exchange.level",
        about: "least severe level published to the exchange",
        set: |typed, entry| {
            typed.config.log.exchange.level = one_of(entry.value, LEVELS)?;
            Ok(())
        },
    },
];
