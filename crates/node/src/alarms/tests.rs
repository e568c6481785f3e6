use std::time::Duration;

use super::interval;

const MB: u64 = 1_000_000;

#[test]
fn the_disk_is_looked_at_more_often_the_nearer_it_is_to_its_limit() {
    let milliseconds = |free| interval(free, 50 * MB).as_millis();
    assert_eq!(milliseconds(100_000 * MB), 1000);
    assert_eq!(milliseconds(1050 * MB), 500);
    assert_eq!(milliseconds(150 * MB), 50);
    assert_eq!(milliseconds(50 * MB), 20);
}

#[test]
fn an_alarm_that_is_on_is_looked_at_once_a_second() {
    assert_eq!(interval(0, 50_000_000), Duration::from_secs(1));
}
