//! How much memory there is, and how much of it this process holds.

use std::path::{Path, PathBuf};

/// What counts as used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemoryStrategy {
    /// The resident set.
    #[default]
    Rss,
    /// What was allocated: without the program's own pages, with what was swapped out.
    Allocated,
}

/// What this process uses, in bytes; 0 when the system does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    /// Which of the two below counts.
    pub strategy: MemoryStrategy,
    /// See [`MemoryStrategy::Rss`].
    pub rss: u64,
    /// See [`MemoryStrategy::Allocated`].
    pub allocated: u64,
}

impl MemoryUse {
    /// What counts against the watermark.
    pub fn used(&self) -> u64 {
        match self.strategy {
            MemoryStrategy::Rss => self.rss,
            MemoryStrategy::Allocated => self.allocated,
        }
    }
}

/// What this process uses now.
pub(super) fn in_use(strategy: MemoryStrategy) -> MemoryUse {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    in_use_by(strategy, &status)
}

/// Bytes of this process's memory that are the program itself and other files.
pub(super) fn program_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    kib_field(&status, "RssFile").unwrap_or(0)
}

/// As [`in_use`], from the text of `/proc/self/status`.
fn in_use_by(strategy: MemoryStrategy, status: &str) -> MemoryUse {
    let bytes = |name| kib_field(status, name).unwrap_or(0);
    MemoryUse { strategy, rss: bytes("VmRSS"), allocated: bytes("RssAnon") + bytes("VmSwap") }
}

/// Bytes this process may use: what the machine has, or less if a control group says so.
pub(super) fn total_bytes() -> u64 {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let text = |path: &str| read(Path::new(path)).unwrap_or_default();
    let machine = kib_field(&text("/proc/meminfo"), "MemTotal").unwrap_or(u64::MAX);
    let group = group_limit(&text("/proc/self/cgroup"), &text("/proc/self/mountinfo"), read);
    machine.min(group.unwrap_or(u64::MAX))
}

/// Bytes of a line `NAME: 123 kB`.
fn kib_field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(value.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// The lowest memory limit of the control groups this process is in and of those around them, from
/// the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`. Both versions of control groups may
/// be in use at once.
fn group_limit(groups: &str, mounts: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, group) = (parts.next()?, parts.next()?, parts.next()?);
        let is_v2 = controllers.is_empty();
        if !is_v2 && !controllers.split(',').any(|it| it == "memory") {
            return None;
        }
        let file = if is_v2 { "memory.max" } else { "memory.limit_in_bytes" };
        let (root, mount) = mounts.lines().find_map(|line| hierarchy(line, is_v2))?;
        // In a container the mount shows a part of the tree only.
        let inside = Path::new(group).strip_prefix(root).unwrap_or(Path::new(""));
        let innermost = mount.join(inside);
        let around = innermost.ancestors().take_while(|dir| dir.starts_with(&mount));
        // `max`, no limit, is no number.
        around.filter_map(|dir| read(&dir.join(file))?.trim().parse::<u64>().ok()).min()
    });
    limits.min()
}

/// The root and the mount point of the hierarchy with the memory controller, if this line of
/// `mountinfo` is its.
fn hierarchy(line: &str, is_v2: bool) -> Option<(&str, PathBuf)> {
    let (place, kind) = line.split_once(" - ")?;
    let mut kind = kind.split(' ');
    let (name, _source, options) = (kind.next()?, kind.next()?, kind.next()?);
    let is_it = match is_v2 {
        true => name == "cgroup2",
        false => name == "cgroup" && options.split(',').any(|it| it == "memory"),
    };
    let mut place = place.split(' ').skip(3);
    let (root, mount) = (place.next()?, place.next()?);
    is_it.then(|| (root, PathBuf::from(mount)))
}

#[cfg(test)]
mod tests;
