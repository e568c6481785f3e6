//! When publishers are stopped: memory and disk.

use super::Key;
use crate::{
    DiskFreeLimit, MemoryHighWatermark,
    value::{fraction, information_unit},
};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "vm_memory_high_watermark.relative",
        about: "memory alarm as a share of usable memory",
        set: |typed, entry| {
            let share = fraction(entry.value)?;
            typed.config.memory_high_watermark = MemoryHighWatermark::Relative(share);
            Ok(())
        },
    },
    Key {
        name: "vm_memory_high_watermark.absolute",
        about: "memory alarm as an amount (2GB, 512MiB)",
        set: |typed, entry| {
            let bytes = information_unit(entry.value)?;
            typed.config.memory_high_watermark = MemoryHighWatermark::Absolute(bytes);
            Ok(())
        },
    },
    Key {
        name: "disk_free_limit.relative",
        about: "disk alarm as a multiple of usable memory",
        set: |typed, entry| {
            typed.config.disk_free_limit = DiskFreeLimit::Relative(fraction(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "disk_free_limit.absolute",
        about: "disk alarm as an amount (2GB, 512MiB)",
        set: |typed, entry| {
            typed.config.disk_free_limit = DiskFreeLimit::Absolute(information_unit(entry.value)?);
            Ok(())
        },
    },
];
