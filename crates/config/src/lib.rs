//! `rabbitmq.conf` and the other places a broker is configured from.
//!
//! Knows: the syntax of the file (`syntax`), which keys there are and what their values look
//! like ([`keys`]), the defaults RabbitMQ 4.3 has, where the data directory is. Reading a file goes
//! in two steps: [`keys::Typed`] holds what was typed, [`Config`] what it comes to.
//!
//! Must not know: sockets, TLS libraries, the broker. A key is one entry in one file under
//! `keys/`; what has an effect is exactly what those tables list. A key that RabbitMQ knows and we
//! do not act on is reported as a [`Notice`], one it does not know is an error.
#![forbid(unsafe_code)]

mod guards;
mod load;
mod log;
mod paths;
mod resolved;
mod suggest;
mod syntax;
mod value;

pub mod keys;

pub use load::{LoadError, Loaded, Notice, Place, Problem};
pub use log::{
    LOG_CATEGORIES, Log, LogCategory, LogConsole, LogFile, LogFormat, LogFormatKind, LogLevel,
    LogLevelFormat, LogOutput, LogPart, LogPeriod, LogRotation, LogSchedule, LogTimeFormat,
};
pub use paths::{
    default_config_files, default_data_dir, default_node_name, variables_without_effect,
};
pub use resolved::{
    Auth, CertLoginFrom, Config, ConfirmDurability, DefaultUser, DiskFreeLimit, Interceptors,
    Limits, ListenAddress, Listeners, Management, MemoryCalculation, MemoryHighWatermark,
    Prometheus, QueueType, RatesMode, SampleRetention, SanType, Statistics, TcpListenOptions,
    TlsOptions, TlsVerify, TlsVersion,
};
pub use value::information_unit;
