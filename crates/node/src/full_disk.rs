//! Whether the disk is full, as those who write to it find it.

use parking_lot::Mutex;

#[cfg(test)]
mod tests;

/// Who may find the disk full while the others do not: the log overwrites files it has, pages are
/// written elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Writer {
    Log,
    Pager,
}

/// Called with true when somebody has found the disk full, and with false when nobody does any more.
pub(crate) type OnFull = Box<dyn Fn(bool) + Send + Sync>;

/// What the writers found last.
pub(crate) struct FullDisk {
    found: Mutex<[bool; 2]>,
    on_change: Option<OnFull>,
}

impl FullDisk {
    pub(crate) fn new(on_change: Option<OnFull>) -> Self {
        Self { found: Mutex::default(), on_change }
    }

    /// Whether `writer` found it full.
    pub(crate) fn is_full_for(&self, writer: Writer) -> bool {
        self.found.lock()[writer as usize]
    }

    /// Notes what `writer` found; tells when that makes a difference.
    pub(crate) fn note(&self, writer: Writer, is_full: bool) {
        let mut found = self.found.lock();
        let before = found.contains(&true);
        found[writer as usize] = is_full;
        let after = found.contains(&true);
        if before != after
            && let Some(on_change) = &self.on_change
        {
            on_change(after);
        }
    }
}
