//! Memory and disk alarms.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use broker::{Alarms, Broker};
use parking_lot::{Condvar, Mutex};
use tracing::{info, warn};

/// Time between two looks. RabbitMQ looks at memory every 2.5 s and at the disk every 10 s or less.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Above which use of memory publishers are blocked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MemoryWatermark {
    /// A share of the machine's or the control group's memory.
    Relative(f64),
    /// Bytes.
    Absolute(u64),
}

/// Below which free space publishers are blocked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DiskLimit {
    /// A multiple of the machine's memory.
    Relative(f64),
    /// Bytes.
    Absolute(u64),
}

/// Watches memory and disk, and raises and clears the alarms.
pub struct Resources {
    data_dir: PathBuf,
    limits: Mutex<Limits>,
    changed: Condvar,
}

struct Limits {
    memory: MemoryWatermark,
    disk: DiskLimit,
    is_stopped: bool,
}

impl Resources {
    pub(crate) fn new(data_dir: PathBuf, memory: MemoryWatermark, disk: DiskLimit) -> Self {
        let limits = Mutex::new(Limits { memory, disk, is_stopped: false });
        Self { data_dir, limits, changed: Condvar::new() }
    }

    /// Changes the memory watermark; acts at once.
    pub fn set_memory_watermark(&self, watermark: MemoryWatermark) {
        self.limits.lock().memory = watermark;
        self.changed.notify_one();
    }

    /// Changes the disk limit; acts at once.
    pub fn set_disk_limit(&self, limit: DiskLimit) {
        self.limits.lock().disk = limit;
        self.changed.notify_one();
    }

    pub(crate) fn stop(&self) {
        self.limits.lock().is_stopped = true;
        self.changed.notify_one();
    }

    /// The memory limit in force, in bytes.
    pub fn memory_limit_bytes(&self) -> u64 {
        match self.limits.lock().memory {
            MemoryWatermark::Absolute(bytes) => bytes,
            MemoryWatermark::Relative(share) => (total_memory_bytes() as f64 * share) as u64,
        }
    }

    /// The free space required, in bytes.
    pub fn disk_limit_bytes(&self) -> u64 {
        match self.limits.lock().disk {
            DiskLimit::Absolute(bytes) => bytes,
            DiskLimit::Relative(factor) => (total_memory_bytes() as f64 * factor) as u64,
        }
    }

    /// Memory that this process holds, in bytes.
    pub fn memory_used_bytes(&self) -> u64 {
        resident_bytes().unwrap_or(0)
    }

    /// Free space where the data lives, in bytes.
    pub fn disk_free_bytes(&self) -> u64 {
        fs4::available_space(&self.data_dir).unwrap_or(u64::MAX)
    }

    /// The body of the watching thread.
    pub(crate) fn run(&self, broker: &Arc<Broker>) {
        loop {
            self.check(broker);
            let mut limits = self.limits.lock();
            if limits.is_stopped {
                return;
            }
            self.changed.wait_for(&mut limits, CHECK_INTERVAL);
        }
    }

    fn check(&self, broker: &Broker) {
        let is_memory_low = self.memory_used_bytes() > self.memory_limit_bytes();
        let is_disk_low = self.disk_free_bytes() < self.disk_limit_bytes();
        for (bit, is_on, name) in [
            (Alarms::MEMORY, is_memory_low, "memory resource limit alarm"),
            (Alarms::DISK, is_disk_low, "disk resource limit alarm"),
        ] {
            if broker.alarms().has(bit) == is_on {
                continue;
            }
            broker.set_alarm(bit, is_on);
            let node = &broker.config().identity.node;
            if is_on {
                warn!("{name} set on node {node}; publishers are blocked until it clears");
            } else {
                info!("{name} cleared on node {node}");
            }
        }
    }
}

/// Memory this machine or its control group has, in bytes.
fn total_memory_bytes() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .map_or(u64::MAX, |kib| kib * 1024);
    let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    machine.min(group.unwrap_or(u64::MAX))
}

fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}
