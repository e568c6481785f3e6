//! What is counted, how often, and how long it is kept.

use std::time::Duration;

use super::{Entry, Key, Typed};
use crate::value::{boolean, integer, one_of};
use crate::{RatesMode, SampleRetention};

/// Samples of one section and interval, at most: a year of them every five seconds would be 6 million.
const SAMPLES_MAX: u32 = 1000;

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "collect_statistics_interval",
        about: "milliseconds after which what happened is collected",
        set: |typed, entry| {
            typed.config.statistics.interval = Duration::from_millis(integer(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "management.rates_mode",
        about: "which rates are shown: basic, detailed (also by channel and queue, ...) or none",
        set: |typed, entry| {
            let modes = [RatesMode::Basic, RatesMode::Detailed, RatesMode::None];
            let choices = modes.map(|mode| (mode.name(), mode));
            typed.config.statistics.rates_mode = one_of(entry.value, &choices)?;
            Ok(())
        },
    },
    Key {
        name: "management.sample_retention_policies.$section.$interval",
        about: "seconds between two samples that are kept for a minute, an hour, a day or so many \
                seconds; of vhosts and the node (global), of single objects (basic), of pairs (detailed)",
        set: retention,
    },
    Key {
        name: "management_agent.disable_metrics_collector",
        about: "`true`: no histories and no rates",
        set: |typed, entry| {
            typed.config.statistics.is_disabled = boolean(entry.value)?;
            Ok(())
        },
    },
];

fn retention(typed: &mut Typed, entry: &Entry<'_>) -> Result<(), String> {
    let [section, length] = entry.words[..] else { return Ok(()) };
    one_of(section, &[("global", ()), ("basic", ()), ("detailed", ())])?;
    let length = match length {
        "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        seconds => integer(seconds)?,
    };
    let interval = integer(entry.value)?;
    if interval == 0 || length / interval > SAMPLES_MAX {
        return Err(format!("{interval} is not an interval of which at most {SAMPLES_MAX} fit"));
    }
    typed.sample_retention.push((section.to_owned(), length, interval));
    Ok(())
}

/// With one section typed, all have to be.
pub(super) fn resolve_retention(
    kept: &mut SampleRetention,
    typed: Vec<(String, u32, u32)>,
) -> Result<(), String> {
    if typed.is_empty() {
        return Ok(());
    }
    *kept = SampleRetention { global: Vec::new(), basic: Vec::new(), detailed: Vec::new() };
    for (section, length, interval) in typed {
        let samples = match section.as_str() {
            "global" => &mut kept.global,
            "basic" => &mut kept.basic,
            _ => &mut kept.detailed,
        };
        samples.push((length, interval));
        samples.sort_unstable();
    }
    if kept.global.is_empty() || kept.basic.is_empty() || kept.detailed.is_empty() {
        let text = "management.sample_retention_policies needs global, basic and detailed";
        return Err(text.to_owned());
    }
    Ok(())
}
