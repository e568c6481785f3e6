//! Where log lines go: `log.*`.

mod typed;
mod values;

pub(crate) use typed::{TypedLog, is_known_place};

use super::Key;
use crate::value::{boolean, integer, one_of};
use crate::{LogFormatKind, LogLevel, LogLevelFormat, LogTimeFormat};
use values::{field_map, schedule, template, verbosity_map};

const TIME_FORMATS: &[(&str, LogTimeFormat)] = &[
    ("rfc3339_space", LogTimeFormat::Rfc3339Space),
    ("rfc3339_T", LogTimeFormat::Rfc3339T),
    ("epoch_usecs", LogTimeFormat::EpochMicros),
    ("epoch_secs", LogTimeFormat::EpochSecs),
    ("lager_default", LogTimeFormat::Lager),
];

const LEVEL_FORMATS: &[(&str, LogLevelFormat)] = &[
    ("lc", LogLevelFormat::Lowercase),
    ("uc", LogLevelFormat::Uppercase),
    ("lc3", LogLevelFormat::Lowercase3),
    ("uc3", LogLevelFormat::Uppercase3),
    ("lc4", LogLevelFormat::Lowercase4),
    ("uc4", LogLevelFormat::Uppercase4),
];

const FORMATS: &[(&str, LogFormatKind)] =
    &[("plaintext", LogFormatKind::Plaintext), ("json", LogFormatKind::Json)];

const SWITCH: &[(&str, bool)] = &[("on", true), ("off", false)];

/// A key whose value goes into one place of what was typed.
macro_rules! key {
    ($name:expr, $about:expr, $($place:ident).+, $read:expr) => {
        Key {
            name: $name,
            about: $about,
            set: |typed, entry| {
                typed.log.$($place).+ = Some($read(entry.value)?);
                Ok(())
            },
        }
    };
}

/// Level and looks of one output.
macro_rules! output_keys {
    ($output:ident) => {
        &[
            key!(
                concat!("log.", stringify!($output), ".level"),
                "least severe level of this output",
                $output.level,
                |it| one_of(it, LogLevel::NAMED)
            ),
            key!(
                concat!("log.", stringify!($output), ".formatter"),
                "`plaintext` or `json`",
                $output.kind,
                |it| one_of(it, FORMATS)
            ),
            key!(
                concat!("log.", stringify!($output), ".formatter.time_format"),
                "how times are written",
                $output.time,
                |it| one_of(it, TIME_FORMATS)
            ),
            key!(
                concat!("log.", stringify!($output), ".formatter.level_format"),
                "how levels are written",
                $output.level_format,
                |it| one_of(it, LEVEL_FORMATS)
            ),
            key!(
                concat!("log.", stringify!($output), ".formatter.single_line"),
                "one line for each message",
                $output.is_single_line,
                |it| one_of(it, SWITCH)
            ),
            key!(
                concat!("log.", stringify!($output), ".formatter.plaintext.format"),
                "what a line is made of",
                $output.template,
                template
            ),
            key!(
                concat!("log.", stringify!($output), ".formatter.json.field_map"),
                "fields, their order and names",
                $output.field_map,
                field_map
            ),
            key!(
                concat!("log.", stringify!($output), ".formatter.json.verbosity_map"),
                "a number for each level",
                $output.verbosity,
                verbosity_map
            ),
        ]
    };
}

/// When a file begins anew.
macro_rules! rotation_keys {
    ($group:ident) => {
        &[
            key!(
                concat!("log.", stringify!($group), ".rotation.date"),
                "when the file rotates",
                $group.rotation.schedule,
                schedule
            ),
            key!(
                concat!("log.", stringify!($group), ".rotation.size"),
                "bytes after which the file rotates",
                $group.rotation.size,
                integer
            ),
            key!(
                concat!("log.", stringify!($group), ".rotation.count"),
                "rotated files that are kept",
                $group.rotation.count,
                integer
            ),
            key!(
                concat!("log.", stringify!($group), ".rotation.compress"),
                "rotated files are compressed with gzip",
                $group.rotation.is_compressed,
                boolean
            ),
        ]
    };
}

/// Level and file of one category.
macro_rules! category_keys {
    ($category:ident) => {
        &[
            key!(
                concat!("log.", stringify!($category), ".level"),
                "least severe level of this category",
                $category.level,
                |it| one_of(it, LogLevel::NAMED)
            ),
            key!(
                concat!("log.", stringify!($category), ".file"),
                "file of this category",
                $category.file,
                |it: &str| Ok::<_, String>(it.into())
            ),
        ]
    };
}

/// What stands before lines of one level.
macro_rules! color_key {
    ($name:ident, $level:ident) => {
        Key {
            name: concat!("log.console.color_esc_seqs.", stringify!($name)),
            about: "what stands before lines of this level",
            set: |typed, entry| {
                let escape = entry.value.replace("\\e", "\x1b").replace("\\033", "\x1b");
                typed.log.colors.push((LogLevel::$level, escape));
                Ok(())
            },
        }
    };
}

pub(super) const GROUPS: &[&[Key]] = &[
    OUTPUTS,
    output_keys!(console),
    COLORS,
    output_keys!(file),
    rotation_keys!(file),
    output_keys!(exchange),
    category_keys!(connection),
    rotation_keys!(connection),
    category_keys!(channel),
    rotation_keys!(channel),
    category_keys!(mirroring),
    rotation_keys!(mirroring),
    category_keys!(queue),
    rotation_keys!(queue),
    category_keys!(federation),
    rotation_keys!(federation),
    category_keys!(upgrade),
    rotation_keys!(upgrade),
    category_keys!(user),
    rotation_keys!(user),
    category_keys!(ra),
    rotation_keys!(ra),
    DEFAULTS,
    rotation_keys!(default),
];

const OUTPUTS: &[Key] = &[
    key!("log.dir", "directory of log files", dir, |it: &str| Ok::<_, String>(it.into())),
    key!("log.console", "write logs to the console", has_console, boolean),
    key!(
        "log.console.stdio",
        "which stream the console log goes to: stdout or stderr",
        is_stderr,
        |it| one_of(it, &[("stdout", false), ("stderr", true)])
    ),
    key!("log.file", "log file name, or `false`", file_name, |it: &str| {
        Ok::<_, String>((it != "false").then(|| it.into()))
    }),
    key!(
        "log.exchange",
        "publish log lines to the exchange amq.rabbitmq.log of the default vhost",
        has_exchange,
        boolean
    ),
];

const COLORS: &[Key] = &[
    key!("log.console.use_colors", "colour by level", use_colors, |it| one_of(it, SWITCH)),
    color_key!(debug, Debug),
    color_key!(info, Info),
    color_key!(notice, Notice),
    color_key!(warning, Warning),
    color_key!(error, Error),
    color_key!(critical, Critical),
    color_key!(alert, Alert),
    color_key!(emergency, Emergency),
];

const DEFAULTS: &[Key] = &[key!(
    "log.default.level",
    "least severe level of outputs that have none of their own",
    default_level,
    |it| one_of(it, LogLevel::NAMED)
)];
