//! Memory and disk alarms.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use broker::{Alarms, Broker};
use parking_lot::{Condvar, Mutex};
use tracing::{info, warn};

/// Time between two looks. RabbitMQ looks at memory every 2.5 s and at the disk every 10 s or less.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Time between two looks while the disk could fill up any moment.
const CHECK_INTERVAL_MIN: Duration = Duration::from_millis(20);

/// How fast a disk fills at most: the nearer to its limit, the sooner the next look.
const FILL_BYTES_PER_MS: u64 = 2_000_000;

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

    /// Changes the memory watermark. The alarm is on or off by it when this returns.
    pub fn set_memory_watermark(&self, broker: &Broker, watermark: MemoryWatermark) {
        self.limits.lock().memory = watermark;
        self.check(broker);
    }

    /// Changes the disk limit. The alarm is on or off by it when this returns.
    pub fn set_disk_limit(&self, broker: &Broker, limit: DiskLimit) {
        self.limits.lock().disk = limit;
        self.check(broker);
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
            let disk_free = self.check(broker);
            let interval = interval(disk_free, self.disk_limit_bytes());
            let mut limits = self.limits.lock();
            if limits.is_stopped {
                return;
            }
            self.changed.wait_for(&mut limits, interval);
        }
    }

    /// Sets the alarms; the free space it saw, in bytes.
    fn check(&self, broker: &Broker) -> u64 {
        let is_memory_low = self.memory_used_bytes() > self.memory_limit_bytes();
        let disk_free = self.disk_free_bytes();
        let is_disk_low = disk_free < self.disk_limit_bytes();
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
        disk_free
    }
}

/// Time until the next look, before which a disk with so much space cannot have passed its limit.
fn interval(disk_free_bytes: u64, limit_bytes: u64) -> Duration {
    match disk_free_bytes.checked_sub(limit_bytes) {
        Some(left) => Duration::from_millis(left / FILL_BYTES_PER_MS)
            .clamp(CHECK_INTERVAL_MIN, CHECK_INTERVAL),
        // The alarm is on; it may clear at leisure.
        None => CHECK_INTERVAL,
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

#[cfg(test)]
mod tests;
