use super::*;

fn said(confirms: &mut Confirms, durable: u64) -> String {
    let mut text = Vec::new();
    confirms.advance(Lsn(durable), |verdict| {
        let word = if verdict.is_ack { "ack" } else { "nack" };
        let through = if verdict.is_multiple { "..=" } else { "" };
        text.push(format!("{word} {through}{}", verdict.tag));
    });
    text.join(", ")
}

#[test]
fn one_frame_speaks_for_a_durable_run() {
    let mut confirms = Confirms::default();
    for lsn in [10, 10, 20, 30] {
        let tag = confirms.assign();
        confirms.resolve(tag, Lsn(lsn));
    }
    assert_eq!(said(&mut confirms, 9), "");
    assert_eq!(said(&mut confirms, 10), "ack ..=2");
    assert_eq!(said(&mut confirms, 25), "ack 3");
    assert_eq!(said(&mut confirms, 30), "ack 4");
    assert_eq!(confirms.len(), 0);
}

#[test]
fn what_waits_for_nothing_waits_for_those_before_it() {
    let mut confirms = Confirms::default();
    let first = confirms.assign();
    let second = confirms.assign();
    confirms.resolve(second, Lsn(0));
    assert_eq!(said(&mut confirms, 100), "");
    confirms.resolve(first, Lsn(5));
    assert_eq!(said(&mut confirms, 4), "");
    assert_eq!(said(&mut confirms, 5), "ack ..=2");
}

#[test]
fn refused_publishes_are_nacked_in_their_place() {
    let mut confirms = Confirms::default();
    for _ in 0..5 {
        confirms.assign();
    }
    confirms.resolve(1, Lsn(0));
    confirms.refuse(2);
    confirms.refuse(3);
    confirms.resolve(4, Lsn(7));
    confirms.resolve(5, Lsn(7));
    assert_eq!(said(&mut confirms, 0), "ack 1, nack ..=3");
    assert_eq!(said(&mut confirms, 7), "ack ..=5");
    assert_eq!(confirms.assign(), 6);
}
