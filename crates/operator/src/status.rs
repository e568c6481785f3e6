//! The node as a whole.

use std::path::PathBuf;

/// How far the broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Recovering, not yet listening.
    Booting,
    /// Clients can connect, unless the node is under maintenance.
    Running,
    /// The process is there and keeps its data; clients and most commands have to wait.
    AppStopped,
    /// Going down.
    Stopping,
}

/// Everything `rabbitmqctl status` shows.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeStatus {
    /// Of the server process.
    pub os_pid: u32,
    /// `Linux`
    pub os: String,
    /// Since the process started.
    pub uptime_seconds: u64,
    /// Whether the node was put under maintenance.
    pub is_under_maintenance: bool,
    /// The version clients are told, which is RabbitMQ's.
    pub rabbitmq_version: String,
    /// What it runs on, in place of Erlang's version.
    pub runtime_version: String,
    /// What does TLS.
    pub crypto_version: String,
    /// Tasks that exist, in place of Erlang's processes.
    pub tasks: u64,
    /// How many may exist.
    pub tasks_max: u64,
    /// The plugins' names.
    pub active_plugins: Vec<String>,
    /// The file that names them.
    pub enabled_plugin_file: PathBuf,
    /// Everything durable.
    pub data_dir: PathBuf,
    /// The log of the replicated state.
    pub raft_data_dir: PathBuf,
    /// `rabbitmq.conf` and its kin.
    pub config_files: Vec<PathBuf>,
    /// Log files, `<stdout>`.
    pub log_files: Vec<String>,
    /// In alarm.
    pub has_memory_alarm: bool,
    /// In alarm.
    pub has_disk_alarm: bool,
    /// Where the memory goes.
    pub memory: MemoryInfo,
    /// Where the disk alarm starts, bytes.
    pub disk_free_limit: u64,
    /// Free on the data directory's disk, bytes.
    pub disk_free: u64,
    /// File descriptors in use.
    pub file_descriptors_used: u64,
    /// File descriptors allowed.
    pub file_descriptors_max: u64,
    /// Client connections.
    pub connection_count: u64,
    /// In all vhosts.
    pub queue_count: u64,
    /// Vhosts.
    pub virtual_host_count: u64,
    /// Open listeners.
    pub listeners: Vec<ListenerInfo>,
}

/// Memory, bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryInfo {
    /// Which of the two below counts.
    pub strategy: config::MemoryCalculation,
    /// Resident set.
    pub rss: u64,
    /// Taken from the allocator.
    pub allocated: u64,
    /// The setting as configured.
    pub high_watermark: config::MemoryHighWatermark,
    /// What the setting comes to.
    pub high_watermark_bytes: u64,
    /// By use (`queue_procs`, `connection_readers`, `binary`, ...).
    pub breakdown: Vec<(String, u64)>,
}

impl MemoryInfo {
    /// What counts against the watermark.
    pub fn used(&self) -> u64 {
        match self.strategy {
            config::MemoryCalculation::Rss => self.rss,
            config::MemoryCalculation::Allocated => self.allocated,
        }
    }

    /// The strategy's name.
    pub fn strategy_name(&self) -> &'static str {
        match self.strategy {
            config::MemoryCalculation::Rss => "rss",
            config::MemoryCalculation::Allocated => "allocated",
        }
    }
}

/// One listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerInfo {
    /// `[::]`, `127.0.0.1`
    pub interface: String,
    /// As bound.
    pub port: u16,
    /// `amqp`, `amqp/ssl`, `clustering`, `http`, ...
    pub protocol: String,
}
