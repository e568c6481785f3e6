//! A queue that ran empty drops its log. The log may take its time to go.

use topology::QueueSettings;

use super::harness::{Harness, LogStep, Outgoing, Seen, record};
use crate::queue::Settle;

#[test]
fn what_was_acknowledged_last_stays_gone_when_a_crash_keeps_the_log() {
    let mut harness = Harness::new(record(QueueSettings::default(), true, false));
    while !harness.log.iter().any(|step| matches!(step, LogStep::Clear)) {
        let body = b"m".to_vec();
        harness.publish(&[Outgoing {
            body,
            priority: None,
            ttl_ms: None,
            is_persistent: true,
            failures: 0,
        }]);
        harness.get(false);
        harness.settle(vec![0], Settle::Ack);
    }
    harness.recover(harness.log.len() - 1, false);
    harness.seen.clear();
    harness.get(false);
    assert!(matches!(harness.seen[..], [Seen::GotNothing]), "{:?}", harness.seen);
}
