//! A few hundred histories of every run; `cargo xtask simulate` runs as many as one likes.

use simulator::{Coverage, run};

/// Seeds tried by every test run.
const SEEDS: std::ops::Range<u64> = 0..200;

#[test]
fn nothing_confirmed_is_lost_and_nothing_acknowledged_comes_back() {
    let (mut confirmed, mut quorum) = (0, Coverage::default());
    for seed in SEEDS {
        let outcome = run(seed);
        let tail = outcome.history.lines.len().saturating_sub(100);
        assert!(
            outcome.violations.is_empty(),
            "seed {seed}: {:#?}\nthe end of its history:\n{}\nagain: cargo xtask simulate --from {seed} --seeds 1",
            outcome.violations,
            outcome.history.lines[tail..].join("\n"),
        );
        confirmed += outcome.confirmed;
        quorum += outcome.quorum;
    }
    assert!(1000 < confirmed, "the histories are too dull to tell anything: {confirmed} confirms");
    for (what, count) in quorum.figures() {
        assert!(0 < count, "no {what} in quorum queues: {quorum:?}");
    }
}

#[test]
fn the_same_seed_makes_the_same_history() {
    for seed in [1, 2, 3] {
        assert_eq!(run(seed).history.lines, run(seed).history.lines, "seed {seed}");
    }
}
