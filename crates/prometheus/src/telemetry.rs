//! How long scrapes take, and how large they are.

use std::time::Duration;

use parking_lot::Mutex;

use crate::metric::Number;
use crate::request::Registry;
use crate::text::{Labels, put_head, put_sample};

/// The only content type there is.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// Of scrapes that came to their end.
#[derive(Clone, Copy, Debug, Default)]
struct Scrapes {
    count: u64,
    duration: Duration,
    bytes: u64,
}

/// Scrapes so far, by registry.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    scrapes: Mutex<[Scrapes; Registry::ALL.len()]>,
}

impl Telemetry {
    /// Counts a scrape.
    pub(crate) fn add(&self, registry: Registry, duration: Duration, bytes: u64) {
        let scrapes = &mut self.scrapes.lock()[registry as usize];
        scrapes.count += 1;
        scrapes.duration += duration;
        scrapes.bytes += bytes;
    }

    pub(crate) fn put(&self, registry: Registry, text: &mut Vec<u8>) {
        let scrapes = self.scrapes.lock()[registry as usize];
        let mut labels = Vec::new();
        let mut writer = Labels::new(&mut labels);
        writer.put("registry", registry.name());
        writer.put("content_type", CONTENT_TYPE);
        let seconds = scrapes.duration.as_secs_f64();
        for (name, help, sum) in [
            ("telemetry_scrape_duration_seconds", "Time that scrapes took", Number::Real(seconds)),
            (
                "telemetry_scrape_size_bytes",
                "Bytes of scrapes, not compressed",
                scrapes.bytes.into(),
            ),
        ] {
            put_head(text, "", name, "summary", help);
            if scrapes.count > 0 {
                put_sample(text, name, "_count", &labels, scrapes.count.into());
                put_sample(text, name, "_sum", &labels, sum);
            }
        }
    }
}
