//! Memory and disk alarms.

mod memory;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use broker::{Alarms, Broker};
use parking_lot::{Condvar, Mutex};
use tracing::{info, warn};

pub use memory::{MemoryStrategy, MemoryUse};

/// Time between two looks. RabbitMQ looks at memory every second and at the disk every 10 s or less.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Time between two looks while memory or the disk could fill up any moment.
const CHECK_INTERVAL_MIN: Duration = Duration::from_millis(20);

/// How fast memory or a disk fills at most: the nearer to its limit, the sooner the next look.
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

/// How memory is counted, and where the alarms start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResourceLimits {
    /// Above which use of memory publishers are blocked.
    pub memory: MemoryWatermark,
    /// Below which free space publishers are blocked.
    pub disk: DiskLimit,
    /// What counts as used memory.
    pub memory_strategy: MemoryStrategy,
    /// Bytes of memory that count as there, whatever the system says.
    pub total_memory: Option<u64>,
}

/// Watches memory and disk, and raises and clears the alarms.
pub struct Resources {
    data_dir: PathBuf,
    watch: Mutex<Watch>,
    changed: Condvar,
    /// Held while alarms are set: one look at a time, so that the last one holds.
    setting: Mutex<()>,
}

struct Watch {
    limits: ResourceLimits,
    /// Bytes of memory that shares are taken of.
    total_memory: u64,
    /// Writes find no room: that much free space is too little, whatever the limit is.
    is_disk_full: bool,
    is_stopped: bool,
    /// There is something new to look at.
    is_due: bool,
}

impl Watch {
    fn memory_limit(&self) -> u64 {
        match self.limits.memory {
            MemoryWatermark::Absolute(bytes) => bytes.min(self.total_memory),
            MemoryWatermark::Relative(share) => (self.total_memory as f64 * share.min(1.0)) as u64,
        }
    }

    fn disk_limit(&self) -> u64 {
        match self.limits.disk {
            DiskLimit::Absolute(bytes) => bytes,
            DiskLimit::Relative(factor) => (self.total_memory as f64 * factor).round() as u64,
        }
    }
}

/// What one look saw, in bytes.
#[derive(Clone, Copy, Debug)]
struct Seen {
    memory_used: u64,
    memory_limit: u64,
    disk_free: u64,
    disk_limit: u64,
    is_disk_full: bool,
}

impl Resources {
    pub(crate) fn new(data_dir: PathBuf, limits: ResourceLimits) -> Self {
        let total_memory = limits.total_memory.unwrap_or_else(memory::total_bytes);
        let watch =
            Watch { limits, total_memory, is_disk_full: false, is_stopped: false, is_due: false };
        let resources = Self {
            data_dir,
            watch: Mutex::new(watch),
            changed: Condvar::new(),
            setting: Mutex::new(()),
        };
        resources.log_memory_limit();
        resources
    }

    fn log_memory_limit(&self) {
        let watch = self.watch.lock();
        let (limit, total) = (watch.memory_limit(), watch.total_memory);
        info!(
            "Memory high watermark set to {} MiB ({limit} bytes) of {} MiB ({total} bytes) total",
            limit >> 20,
            total >> 20
        );
    }

    /// Changes the memory watermark. The alarm is on or off by it when this returns.
    pub fn set_memory_watermark(&self, broker: &Broker, watermark: MemoryWatermark) {
        self.watch.lock().limits.memory = watermark;
        self.log_memory_limit();
        self.check(broker);
    }

    /// Changes the disk limit. The alarm is on or off by it when this returns.
    pub fn set_disk_limit(&self, broker: &Broker, limit: DiskLimit) {
        self.watch.lock().limits.disk = limit;
        info!("Disk free limit set to {}MB", self.disk_limit_bytes() / 1_000_000);
        self.check(broker);
    }

    /// The disk is full, or not any more: the watching thread looks at once.
    pub(crate) fn note_disk_full(&self, is_full: bool) {
        if is_full {
            warn!("the disk is full; publishers wait until there is room again");
        } else {
            info!("there is room on the disk again");
        }
        self.watch.lock().is_disk_full = is_full;
        self.look_now();
    }

    pub(crate) fn stop(&self) {
        self.watch.lock().is_stopped = true;
        self.look_now();
    }

    fn look_now(&self) {
        self.watch.lock().is_due = true;
        self.changed.notify_one();
    }

    /// The memory limit in force, in bytes.
    pub fn memory_limit_bytes(&self) -> u64 {
        self.watch.lock().memory_limit()
    }

    /// The free space required, in bytes.
    pub fn disk_limit_bytes(&self) -> u64 {
        self.watch.lock().disk_limit()
    }

    /// Memory that this process uses.
    pub fn memory_use(&self) -> MemoryUse {
        let strategy = self.watch.lock().limits.memory_strategy;
        memory::in_use(strategy)
    }

    /// Memory that the program itself takes, in bytes.
    pub fn program_bytes(&self) -> u64 {
        memory::program_bytes()
    }

    /// Free space where the data lives, in bytes.
    pub fn disk_free_bytes(&self) -> u64 {
        fs4::available_space(&self.data_dir).unwrap_or(u64::MAX)
    }

    /// The body of the watching thread.
    pub(crate) fn run(&self, broker: &Arc<Broker>) {
        loop {
            let seen = self.check(broker);
            let mut watch = self.watch.lock();
            if watch.is_stopped {
                return;
            }
            self.changed.wait_while_for(&mut watch, |it| !it.is_due, seen.next_look());
            watch.is_due = false;
        }
    }

    fn look(&self) -> Seen {
        let (memory_used, disk_free) = (self.memory_use().used(), self.disk_free_bytes());
        let watch = self.watch.lock();
        Seen {
            memory_used,
            memory_limit: watch.memory_limit(),
            disk_free,
            disk_limit: watch.disk_limit(),
            is_disk_full: watch.is_disk_full,
        }
    }

    /// Sets the alarms.
    fn check(&self, broker: &Broker) -> Seen {
        let _one_at_a_time = self.setting.lock();
        let seen = self.look();
        let node = &broker.config().identity.node;
        if broker.alarms().has(Alarms::MEMORY) != seen.is_memory_low() {
            let Seen { memory_used: used, memory_limit: allowed, .. } = seen;
            let is_on = if seen.is_memory_low() { "set" } else { "clear" };
            info!("vm_memory_high_watermark {is_on}. Memory used:{used} allowed:{allowed}");
            broker.set_alarm(Alarms::MEMORY, seen.is_memory_low());
            log_alarm("memory", node, seen.is_memory_low());
        }
        if broker.alarms().has(Alarms::DISK) != seen.is_disk_low() {
            let Seen { disk_free: free, disk_limit: limit, .. } = seen;
            let word = if seen.is_disk_low() { "insufficient" } else { "sufficient" };
            info!("Free disk space is {word}. Free bytes: {free}. Limit: {limit}");
            broker.set_alarm(Alarms::DISK, seen.is_disk_low());
            log_alarm("disk", node, seen.is_disk_low());
        }
        seen
    }
}

impl Seen {
    fn is_memory_low(&self) -> bool {
        self.memory_limit < self.memory_used
    }

    fn is_disk_low(&self) -> bool {
        self.is_disk_full || self.disk_free < self.disk_limit
    }

    /// Time until the next look, before which neither can have passed its limit.
    fn next_look(&self) -> Duration {
        let memory_left = self.memory_limit.checked_sub(self.memory_used);
        let disk_left = self.disk_free.checked_sub(self.disk_limit);
        // What is past its limit already may come back at leisure.
        let left = [memory_left, disk_left].into_iter().flatten().min().unwrap_or(u64::MAX);
        Duration::from_millis(left / FILL_BYTES_PER_MS).clamp(CHECK_INTERVAL_MIN, CHECK_INTERVAL)
    }
}

/// What nobody is to overlook in the log.
const BANNER: &str = "\
**********************************************************
*** Publishers will be blocked until this alarm clears ***
**********************************************************";

/// In RabbitMQ's words.
fn log_alarm(resource: &str, node: &str, is_on: bool) {
    if is_on {
        warn!("{resource} resource limit alarm set on node {node}.\n\n{BANNER}\n");
    } else {
        warn!("{resource} resource limit alarm cleared on node {node}");
        warn!("{resource} resource limit alarm cleared across the cluster");
    }
}

#[cfg(test)]
mod tests;
