use super::*;

fn said(confirms: &mut Confirms, durable: u64) -> String {
    let mut text = Vec::new();
    let say = |verdict: Verdict| {
        let word = if verdict.is_ack { "ack" } else { "nack" };
        let through = if verdict.is_multiple { "..=" } else { "" };
        text.push(format!("{word} {through}{}", verdict.tag));
    };
    confirms.advance(Lsn(durable), say, |_, _| {});
    text.join(", ")
}

/// How many publishes to which exchange were confirmed, run by run.
fn counted(confirms: &mut Confirms, durable: u64) -> String {
    let mut text = Vec::new();
    let count = |exchange: &Arc<str>, count| text.push(format!("{count} to {exchange}"));
    confirms.advance(Lsn(durable), |_| {}, count);
    text.join(", ")
}

#[test]
fn one_frame_speaks_for_a_durable_run() {
    let mut confirms = Confirms::default();
    for lsn in [10, 10, 20, 30] {
        let tag = confirms.assign(&"x".into());
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
    let first = confirms.assign(&"x".into());
    let second = confirms.assign(&"x".into());
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
        confirms.assign(&"x".into());
    }
    confirms.resolve(1, Lsn(0));
    confirms.refuse(2);
    confirms.refuse(3);
    confirms.resolve(4, Lsn(7));
    confirms.resolve(5, Lsn(7));
    assert_eq!(said(&mut confirms, 0), "ack 1, nack ..=3");
    assert_eq!(said(&mut confirms, 7), "ack ..=5");
    assert_eq!(confirms.assign(&"x".into()), 6);
}

#[test]
fn confirms_count_for_the_exchange_published_to() {
    let mut confirms = Confirms::default();
    let (x, y): (Arc<str>, Arc<str>) = ("x".into(), "y".into());
    for (lsn, exchange) in [(1, &x), (1, &x), (1, &y), (2, &y), (2, &x)] {
        let tag = confirms.assign(exchange);
        confirms.resolve(tag, Lsn(lsn));
    }
    assert_eq!(counted(&mut confirms, 1), "2 to x, 1 to y");
    assert_eq!(counted(&mut confirms, 2), "1 to y, 1 to x");
    let [refused, taken] = [&y, &x].map(|exchange| confirms.assign(exchange));
    confirms.refuse(refused);
    confirms.resolve(taken, Lsn(0));
    assert_eq!(counted(&mut confirms, 2), "1 to x");
}
