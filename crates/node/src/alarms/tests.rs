use std::time::Duration;

use super::Seen;

const MB: u64 = 1_000_000;

/// Nothing near its limit.
const CALM: Seen = Seen {
    memory_used: 100 * MB,
    memory_limit: 100_000 * MB,
    disk_free: 100_000 * MB,
    disk_limit: 50 * MB,
    is_disk_full: false,
};

#[test]
fn the_disk_is_looked_at_more_often_the_nearer_it_is_to_its_limit() {
    let milliseconds = |disk_free| Seen { disk_free, ..CALM }.next_look().as_millis();
    assert_eq!(milliseconds(100_000 * MB), 1000);
    assert_eq!(milliseconds(1050 * MB), 500);
    assert_eq!(milliseconds(150 * MB), 50);
    assert_eq!(milliseconds(50 * MB), 20);
}

#[test]
fn memory_is_looked_at_more_often_the_nearer_it_is_to_its_limit() {
    let milliseconds = |memory_limit| Seen { memory_limit, ..CALM }.next_look().as_millis();
    assert_eq!(milliseconds(10_000 * MB), 1000);
    assert_eq!(milliseconds(300 * MB), 100);
    assert_eq!(milliseconds(100 * MB), 20);
}

#[test]
fn an_alarm_that_is_on_is_looked_at_once_a_second() {
    assert_eq!(Seen { disk_free: 0, ..CALM }.next_look(), Duration::from_secs(1));
    assert_eq!(Seen { memory_limit: 0, ..CALM }.next_look(), Duration::from_secs(1));
}

#[test]
fn a_disk_that_refused_a_write_is_low_whatever_it_says() {
    assert!(!CALM.is_disk_low());
    assert!(Seen { is_disk_full: true, ..CALM }.is_disk_low());
}
