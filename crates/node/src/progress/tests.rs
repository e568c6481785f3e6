use super::*;

#[test]
fn a_start_speaks_once_a_second_and_not_before_it_has_taken_one() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut progress = Progress::begun_at(start);
    let log = Step::Log { done: 64 << 20, total: 128 << 20 };
    assert_eq!(progress.line(at(999), log), None);
    let said = progress.line(at(1000), log);
    assert_eq!(said.as_deref(), Some("Recovering: 64 of 128 MiB of the log read"));
    assert_eq!(progress.line(at(1999), log), None);
    let said = progress.line(at(2500), Step::Queues(8192));
    assert_eq!(said.as_deref(), Some("Recovering messages of queues: 8192 journal entries read"));
    assert_eq!(progress.line(at(3499), log), None);
    assert!(progress.line(at(3500), log).is_some());
}
