use super::*;

/// Runs until the peer is given up; returns when that was and how many heartbeats went out.
fn until_missed(heartbeat: &mut Heartbeat) -> (u64, u32) {
    let mut sent = 0;
    loop {
        let now = heartbeat.poll_timeout().expect("it has an interval");
        let beat = heartbeat.handle_timeout(now, Pause::None);
        sent += u32::from(beat.is_due);
        if beat.is_missed {
            return (now.0, sent);
        }
    }
}

#[test]
fn a_silent_client_is_dropped_after_three_intervals_as_by_rabbitmq() {
    assert_eq!(until_missed(&mut Heartbeat::start(Timestamp(0), 1)), (3000, 6));
    assert_eq!(until_missed(&mut Heartbeat::start(Timestamp(0), 4)), (12000, 6));
}

#[test]
fn traffic_counts_as_a_heartbeat() {
    let mut heartbeat = Heartbeat::start(Timestamp(0), 2);
    assert!(heartbeat.handle_timeout(Timestamp(1000), Pause::None).is_due);
    heartbeat.sent();
    assert_eq!(heartbeat.handle_timeout(Timestamp(2000), Pause::None), Beat::default());
    assert!(heartbeat.handle_timeout(Timestamp(3000), Pause::None).is_due);
    heartbeat.received();
    let (missed_at, _) = until_missed(&mut heartbeat);
    assert_eq!(missed_at, 8000);
}

#[test]
fn no_interval_no_timeout() {
    let mut heartbeat = Heartbeat::start(Timestamp(0), 0);
    assert_eq!(heartbeat.poll_timeout(), None);
    assert_eq!(heartbeat.handle_timeout(Timestamp(99), Pause::None), Beat::default());
}

#[test]
fn a_connection_that_we_do_not_read_misses_nothing() {
    let mut heartbeat = Heartbeat::start(Timestamp(0), 1);
    for second in 1..10 {
        assert!(!heartbeat.handle_timeout(Timestamp(second * 1000), Pause::Ours).is_missed);
    }
}

#[test]
fn who_reads_no_answers_is_there_as_long_as_it_takes_some_bytes() {
    let mut heartbeat = Heartbeat::start(Timestamp(0), 1);
    for second in 1..10 {
        heartbeat.written();
        assert!(!heartbeat.handle_timeout(Timestamp(second * 1000), Pause::Theirs).is_missed);
    }
    assert!(!heartbeat.handle_timeout(Timestamp(10_000), Pause::Theirs).is_missed);
    assert!(heartbeat.handle_timeout(Timestamp(11_000), Pause::Theirs).is_missed);
}
