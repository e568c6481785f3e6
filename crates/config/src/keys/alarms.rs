//! When publishers are stopped: memory and disk.

use super::Key;
use crate::{
    DiskFreeLimit, MemoryCalculation, MemoryHighWatermark,
    value::{fraction, information_unit, one_of},
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
        name: "vm_memory_calculation_strategy",
        about: "how used memory is counted: rss, or allocated (erlang and legacy mean the same)",
        set: |typed, entry| {
            let choices = [
                ("rss", MemoryCalculation::Rss),
                ("erlang", MemoryCalculation::Allocated),
                ("allocated", MemoryCalculation::Allocated),
                ("legacy", MemoryCalculation::Allocated),
            ];
            typed.config.memory_calculation = one_of(entry.value, &choices)?;
            Ok(())
        },
    },
    Key {
        name: "total_memory_available_override_value",
        about: "memory that counts as there (2GB, 512MiB), instead of the machine's or the \
                control group's",
        set: |typed, entry| {
            typed.config.total_memory_override = Some(information_unit(entry.value)?);
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
