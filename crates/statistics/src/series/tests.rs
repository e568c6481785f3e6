use super::*;

const POLICY: &[Retention] =
    &[Retention { length_s: 605, interval_s: 5 }, Retention { length_s: 3600, interval_s: 60 }];

/// A whole number of all intervals.
const START_S: u64 = 1_800_000_000;

/// Samples at `second` after the start, the ones before having been taken 5 s earlier.
fn at(second: u64) -> Moment {
    let now_ms = (START_S + second) * 1000;
    Moment { now_ms, previous_ms: now_ms - 5000 }
}

fn range(first: u64, last: u64, step: u64) -> Range {
    let ms = |second| (START_S + second) * 1000;
    Range { first_ms: ms(first), last_ms: ms(last), step_ms: step * 1000 }
}

fn series() -> Series<2> {
    Series::default()
}

/// The samples of the first value, oldest first.
fn course(series: &Series<2>, range: Range) -> Vec<u64> {
    series.course(POLICY, range).iter().map(|values| values[0]).collect()
}

#[test]
fn a_rate_is_that_of_the_last_interval() {
    let mut series = series();
    series.values = [50, 0];
    series.sample(at(5), POLICY);
    assert_eq!(series.rates(at(5), POLICY), [10.0, 0.0]);
    series.values = [45, 5];
    series.sample(at(10), POLICY);
    assert_eq!(series.rates(at(10), POLICY), [-1.0, 1.0]);
    series.sample(at(15), POLICY);
    assert_eq!(series.rates(at(15), POLICY), [0.0, 0.0], "nothing happened since");
}

#[test]
fn between_samples_a_value_is_what_it_was() {
    let mut series = series();
    for (second, value) in [(10, 7), (15, 7), (20, 9)] {
        series.values = [value, 1000 - value];
        series.sample(at(second), POLICY);
    }
    assert_eq!(course(&series, range(0, 30, 5)), [0, 0, 7, 7, 9, 9, 9]);
    assert_eq!(course(&series, range(8, 20, 4)), [0, 7, 7, 9]);
}

#[test]
fn longer_ranges_have_coarser_samples() {
    let mut series = series();
    for second in (5..=1200).step_by(5) {
        series.values[0] = second;
        series.sample(at(second), POLICY);
    }
    assert_eq!(course(&series, range(1190, 1200, 5)), [1190, 1195, 1200]);
    // Older than what is kept every five seconds, and than anything.
    assert_eq!(course(&series, range(0, 1200, 300)), [0, 300, 600, 900, 1200]);
}

#[test]
fn what_is_older_than_the_retention_is_forgotten() {
    let mut series = series();
    for second in (5..=8000).step_by(5) {
        series.values[0] += 1;
        series.sample(at(second), POLICY);
    }
    let levels = series.levels.as_ref().expect("it changes");
    let first = |level: usize| levels[level].values_at(&[START_S * 1000], POLICY[level])[0][0];
    assert_eq!(first(0), (8000 - 605) / 5 - 1, "as it was before the first sample that is kept");
    assert_eq!(first(1), (7980 - 3600) / 5 - 12);
}

#[test]
fn what_rests_costs_nothing_any_more() {
    let mut series = series();
    series.values = [3, 4];
    series.sample(at(5), POLICY);
    assert!(series.levels.is_some());
    for second in (10..=3720).step_by(5) {
        series.sample(at(second), POLICY);
    }
    assert!(series.levels.is_none());
    assert_eq!(course(&series, range(3700, 3720, 10)), [3, 3, 3]);
    // It goes on from there.
    series.values[0] = 13;
    series.sample(at(3725), POLICY);
    assert_eq!(series.rates(at(3725), POLICY), [2.0, 0.0]);
    assert_eq!(course(&series, range(3720, 3725, 5)), [3, 13]);
}

#[test]
fn a_clock_that_is_set_back_takes_no_samples_for_a_while() {
    let mut series = series();
    series.values = [1, 0];
    series.sample(at(100), POLICY);
    series.values = [2, 0];
    series.sample(at(50), POLICY);
    assert_eq!(course(&series, range(50, 100, 50)), [0, 1]);
    series.sample(at(105), POLICY);
    assert_eq!(course(&series, range(100, 105, 5)), [1, 2]);
}

#[test]
fn a_busy_queue_s_history_is_small() {
    let mut series = Series::<11>::default();
    for second in (5..=4000).step_by(5) {
        // Published, delivered, acknowledged: seven a second each; a few messages wait.
        for column in 0..3 {
            series.values[column] += 35;
        }
        series.values[3] = second / 5 % 3;
        series.sample(at(second), POLICY);
    }
    let bytes = size_of::<Series<11>>() + series.heap_len();
    assert!(bytes <= 1600, "{bytes}");
}

#[test]
fn any_changes_come_back_as_they_were() {
    // Differences of every size, up and down, with gaps.
    let mut series = series();
    let mut seen = Vec::new();
    let mut chance = 1_u64;
    for second in (5..=600).step_by(5) {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if chance >> 62 == 0 {
            continue;
        }
        series.values = [chance >> (chance >> 58), u64::from(chance >> 63 == 0)];
        series.sample(at(second), POLICY);
        seen.push((second, series.values));
    }
    for (second, values) in seen {
        assert_eq!(series.course(POLICY, range(second, second, 5)), [values], "at {second}");
    }
}
