//! The times of `log.file.rotation.date`.

use config::{LogPeriod, LogSchedule};
use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time};

/// The last time not after `now` at which a file was to rotate.
pub(super) fn last_due(schedule: LogSchedule, now: DateTime) -> DateTime {
    let LogSchedule { every, hour, minute } = schedule;
    let today = now.date();
    let (this, before) = match every {
        LogPeriod::Hour => {
            let this = today.to_datetime(clock(now.hour(), minute));
            (this, this.saturating_sub(1.hour()))
        }
        LogPeriod::Day => {
            let this = today.to_datetime(clock(hour, minute));
            (this, this.saturating_sub(1.day()))
        }
        LogPeriod::Week(day) => {
            let since = (today.weekday().to_sunday_zero_offset() - day).rem_euclid(7);
            let this =
                today.saturating_sub(i64::from(since).days()).to_datetime(clock(hour, minute));
            (this, this.saturating_sub(1.week()))
        }
        LogPeriod::Month(day) => {
            let last_month = today.first_of_month().saturating_sub(1.day());
            let at = |month| day_of_month(month, day).to_datetime(clock(hour, minute));
            (at(today), at(last_month))
        }
    };
    if this <= now { this } else { before }
}

fn clock(hour: i8, minute: i8) -> Time {
    Time::new(hour, minute, 0, 0).unwrap_or(Time::midnight())
}

/// That day of the month, or its last.
fn day_of_month(month: Date, day: i8) -> Date {
    let day = day.min(month.days_in_month());
    month.with().day(day).build().unwrap_or(month)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When a file was due last: `$W0D12` at a time, both written as in a configuration.
    fn due(every: LogPeriod, hour: i8, now: &str) -> String {
        let now = now.parse().expect("a time");
        last_due(LogSchedule { every, hour, minute: 0 }, now).to_string()
    }

    #[test]
    fn a_file_is_due_at_the_last_time_that_has_passed() {
        assert_eq!(due(LogPeriod::Day, 0, "2026-11-21T00:00:00"), "2026-11-21T00:00:00");
        assert_eq!(due(LogPeriod::Day, 4, "2026-11-21T03:59:59"), "2026-11-20T04:00:00");
        assert_eq!(due(LogPeriod::Hour, 0, "2026-11-21T03:59:59"), "2026-11-21T03:00:00");
        // The 21st is a Saturday.
        assert_eq!(due(LogPeriod::Week(6), 12, "2026-11-21T12:00:01"), "2026-11-21T12:00:00");
        assert_eq!(due(LogPeriod::Week(6), 12, "2026-11-21T11:00:00"), "2026-11-14T12:00:00");
        assert_eq!(due(LogPeriod::Week(0), 0, "2026-11-21T11:00:00"), "2026-11-15T00:00:00");
        assert_eq!(due(LogPeriod::Month(1), 0, "2026-01-01T00:00:00"), "2026-01-01T00:00:00");
        assert_eq!(due(LogPeriod::Month(15), 0, "2026-01-01T00:00:00"), "2025-12-15T00:00:00");
        assert_eq!(due(LogPeriod::Month(31), 0, "2026-03-01T00:00:00"), "2026-02-28T00:00:00");
        assert_eq!(due(LogPeriod::Month(31), 0, "2028-02-29T00:00:00"), "2028-02-29T00:00:00");
    }
}
