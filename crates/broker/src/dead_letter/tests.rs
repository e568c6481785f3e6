use expect_test::{Expect, expect};
use field_table::{FieldTable, FieldValue};
use message::{BLIND_COPIES, History, MessageRef};
use stdx::Timestamp;

use super::Reincarnation;
use super::properties::{self, Properties};
use crate::{DeadLetter, DeathReason};

/// A message with these headers and perhaps an expiration, published to exchange `src`.
fn letter(headers: FieldTable, expiration: Option<&str>, reason: DeathReason) -> DeadLetter {
    let mut encoded = Vec::new();
    headers.encode(&mut encoded);
    let expiration = expiration.map(|text| [&[text.len() as u8], text.as_bytes()].concat());
    let mut properties = Properties::default();
    properties.set(properties::HEADERS, (!headers.is_empty()).then_some(&encoded));
    properties.set(properties::DELIVERY_MODE, Some(&[2]));
    properties.set(properties::EXPIRATION, expiration.as_deref());
    let properties = properties.encode();
    let message = MessageRef {
        exchange: b"src",
        routing_key: b"key",
        properties: &properties,
        body: b"body",
        image: None,
    };
    DeadLetter {
        image: message.to_image(),
        reason,
        history: History::default(),
        ticket: None,
        safe_in: None,
    }
}

/// The next death of what became of an earlier one.
fn again(copy: &Reincarnation, reason: DeathReason) -> DeadLetter {
    let incoming = copy.incoming();
    let image = incoming.message.to_image();
    DeadLetter { image, reason, history: incoming.history, ticket: None, safe_in: None }
}

fn keys(keys: &[&str]) -> FieldValue {
    keys.iter().map(|&key| FieldValue::from(key)).collect::<Vec<_>>().into()
}

fn show_value(value: &FieldValue) -> String {
    match value {
        FieldValue::LongStr(text) => String::from_utf8_lossy(text).into_owned(),
        FieldValue::Table(table) => format!("{{{}}}", show_fields(table).join(", ")),
        FieldValue::Array(values) => {
            format!("[{}]", values.iter().map(show_value).collect::<Vec<_>>().join(", "))
        }
        FieldValue::Timestamp(seconds) => format!("T{seconds}"),
        other => other.as_integer().map_or_else(|| format!("{other:?}"), |n| n.to_string()),
    }
}

fn show_fields(table: &FieldTable) -> Vec<String> {
    table.iter().map(|(key, value)| format!("{}={}", key.to_text(), show_value(value))).collect()
}

fn check(copy: &Reincarnation, expected: Expect) {
    let keys: Vec<_> = copy.routing_keys().map(String::from_utf8_lossy).collect();
    let mut lines = vec![format!("routed by {}", keys.join(", "))];
    let incoming = copy.incoming();
    let properties = Properties::parse(incoming.message.properties).expect("well formed");
    assert!(properties.raw(properties::EXPIRATION).is_none(), "it lives on for ever");
    assert!(incoming.is_persistent);
    assert!(incoming.history.is_dead_lettered);
    let raw = properties.raw(properties::HEADERS).expect("x-death");
    let mut headers = FieldTable::decode_all(raw).expect("well formed");
    let has_blind_copies = headers.remove(BLIND_COPIES).is_some();
    assert_eq!(message::has_blind_copies(incoming.message.properties), has_blind_copies);
    assert_eq!(&headers, copy.headers());
    lines.extend(show_fields(&headers));
    expected.assert_eq(&lines.join("\n"));
}

const NOW: Timestamp = Timestamp(1_700_000_000_999);

#[test]
fn the_first_death_is_recorded() {
    let headers = FieldTable::default().with("orig", 1i64).with("a-header", "x");
    let letter = letter(headers, Some("0100"), DeathReason::Expired);
    check(
        &Reincarnation::new(&letter, "q1", "dlx", None, NOW),
        expect![[r#"
        routed by key
        a-header=x
        orig=1
        x-death=[{original-expiration=100, count=1, reason=expired, queue=q1, time=T1700000000, exchange=src, routing-keys=[key]}]
        x-first-death-exchange=src
        x-first-death-queue=q1
        x-first-death-reason=expired
        x-last-death-exchange=src
        x-last-death-queue=q1
        x-last-death-reason=expired"#]],
    );
}

#[test]
fn cc_stays_and_bcc_is_not_told() {
    let headers =
        FieldTable::default().with("CC", keys(&["cc1", "cc2"])).with("BCC", keys(&["bcc"]));
    let letter = letter(headers, None, DeathReason::Rejected);
    check(
        &Reincarnation::new(&letter, "q1", "dlx", None, NOW),
        expect![[r#"
        routed by key, cc1, cc2, bcc
        CC=[cc1, cc2]
        x-death=[{count=1, reason=rejected, queue=q1, time=T1700000000, exchange=src, routing-keys=[key, cc1, cc2]}]
        x-first-death-exchange=src
        x-first-death-queue=q1
        x-first-death-reason=rejected
        x-last-death-exchange=src
        x-last-death-queue=q1
        x-last-death-reason=rejected"#]],
    );
    // Both route at the next death, too.
    let copy = Reincarnation::new(&letter, "q1", "dlx", None, NOW);
    let copy = Reincarnation::new(&again(&copy, DeathReason::Rejected), "q2", "dlx", None, NOW);
    check(
        &copy,
        expect![[r#"
        routed by key, cc1, cc2, bcc
        CC=[cc1, cc2]
        x-death=[{count=1, reason=rejected, queue=q2, time=T1700000000, exchange=dlx, routing-keys=[key, cc1, cc2]}, {count=1, reason=rejected, queue=q1, time=T1700000000, exchange=src, routing-keys=[key, cc1, cc2]}]
        x-first-death-exchange=src
        x-first-death-queue=q1
        x-first-death-reason=rejected
        x-last-death-exchange=dlx
        x-last-death-queue=q2
        x-last-death-reason=rejected"#]],
    );
    // With a key of the queue's own, CC does not route, now or at the next death.
    let copy = Reincarnation::new(&letter, "q1", "dlx", Some("dead"), NOW);
    check(
        &copy,
        expect![[r#"
        routed by dead
        CC=[cc1, cc2]
        x-death=[{count=1, reason=rejected, queue=q1, time=T1700000000, exchange=src, routing-keys=[key, cc1, cc2]}]
        x-first-death-exchange=src
        x-first-death-queue=q1
        x-first-death-reason=rejected
        x-last-death-exchange=src
        x-last-death-queue=q1
        x-last-death-reason=rejected"#]],
    );
    let copy = Reincarnation::new(&again(&copy, DeathReason::Rejected), "q2", "dlx", None, NOW);
    check(
        &copy,
        expect![[r#"
        routed by dead
        CC=[cc1, cc2]
        x-death=[{count=1, reason=rejected, queue=q2, time=T1700000000, exchange=dlx, routing-keys=[dead]}, {count=1, reason=rejected, queue=q1, time=T1700000000, exchange=src, routing-keys=[key, cc1, cc2]}]
        x-first-death-exchange=src
        x-first-death-queue=q1
        x-first-death-reason=rejected
        x-last-death-exchange=dlx
        x-last-death-queue=q2
        x-last-death-reason=rejected"#]],
    );
}

#[test]
fn deaths_are_counted_by_queue_and_reason_latest_first() {
    let first = letter(FieldTable::default(), Some("10"), DeathReason::Expired);
    let mut copy = Reincarnation::new(&first, "q1", "", Some("q2"), NOW);
    for (queue, reason, target) in [
        ("q2", DeathReason::Rejected, "q1"),
        ("q1", DeathReason::Expired, "q2"),
        ("q2", DeathReason::Rejected, "q1"),
        ("q1", DeathReason::Expired, "q2"),
    ] {
        let later = NOW.plus_ms(60_000);
        copy = Reincarnation::new(&again(&copy, reason), queue, "", Some(target), later);
    }
    check(
        &copy,
        expect![[r#"
        routed by q2
        x-death=[{original-expiration=10, count=3, reason=expired, queue=q1, time=T1700000000, exchange=src, routing-keys=[key]}, {count=2, reason=rejected, queue=q2, time=T1700000060, exchange=, routing-keys=[q2]}]
        x-first-death-exchange=src
        x-first-death-queue=q1
        x-first-death-reason=expired
        x-last-death-exchange=
        x-last-death-queue=q1
        x-last-death-reason=expired"#]],
    );
}

#[test]
fn deaths_that_a_client_made_up_are_dropped() {
    let death = FieldTable::default().with("queue", "q1").with("reason", "expired");
    let death = death.with("count", 7i64);
    let headers = FieldTable::default()
        .with("x-death", vec![FieldValue::from(death)])
        .with("x-first-death-queue", "made up");
    let letter = letter(headers, None, DeathReason::Expired);
    let copy = Reincarnation::new(&letter, "q1", "dlx", None, NOW);
    check(
        &copy,
        expect![[r#"
        routed by key
        x-death=[{count=1, reason=expired, queue=q1, time=T1700000000, exchange=src, routing-keys=[key]}]
        x-first-death-exchange=src
        x-first-death-queue=q1
        x-first-death-reason=expired
        x-last-death-exchange=src
        x-last-death-queue=q1
        x-last-death-reason=expired"#]],
    );
}

#[test]
fn a_cycle_without_a_rejection_is_cut() {
    let first = letter(FieldTable::default(), None, DeathReason::Expired);
    let copy = Reincarnation::new(&first, "q1", "", Some("q2"), NOW);
    assert!(copy.is_cycle("q1"), "straight back");
    assert!(!copy.is_cycle("q2"));
    let copy = Reincarnation::new(&again(&copy, DeathReason::Maxlen), "q2", "", None, NOW);
    assert!(copy.is_cycle("q1"), "by way of q2");
    let queues: Vec<_> = copy.death_queues().map(String::from_utf8_lossy).collect();
    assert_eq!(queues, ["q2", "q1"]);
}

#[test]
fn a_rejection_breaks_the_cycle() {
    let first = letter(FieldTable::default(), None, DeathReason::Expired);
    let copy = Reincarnation::new(&first, "q1", "", Some("q2"), NOW);
    let copy = Reincarnation::new(&again(&copy, DeathReason::Rejected), "q2", "", None, NOW);
    assert!(!copy.is_cycle("q1"));
    assert!(!copy.is_cycle("q2"), "what was just rejected may come back");
    let copy = Reincarnation::new(&again(&copy, DeathReason::Expired), "q3", "", None, NOW);
    assert!(!copy.is_cycle("q1"));
    assert!(!copy.is_cycle("q2"));
    assert!(copy.is_cycle("q3"));
}

#[test]
fn equal_headers_are_kept_once_and_sorted() {
    let mut headers = FieldTable::default();
    for (key, value) in [("b", "1"), ("a", "2"), ("b", "3")] {
        headers.push(field_table::ShortStr::literal(key), value);
    }
    let letter = letter(headers, None, DeathReason::Maxlen);
    let copy = Reincarnation::new(&letter, "q1", "dlx", None, NOW);
    let names: Vec<_> = copy.headers().iter().map(|(key, _)| key.to_text()).take(3).collect();
    assert_eq!(names, ["a", "b", "x-death"]);
    assert_eq!(copy.headers().get("b").and_then(FieldValue::as_str), Some("1"));
}

#[test]
fn properties_that_are_cut_off_are_no_properties() {
    let whole = letter(FieldTable::default().with("a", "b"), Some("10"), DeathReason::Expired);
    let whole = whole.image.as_ref().properties.to_vec();
    assert!(Properties::parse(&whole).is_some());
    for len in 1..whole.len() {
        assert!(Properties::parse(&whole[..len]).is_none(), "{len} bytes");
    }
    assert_eq!(Properties::parse(&whole).expect("whole").encode(), whole);
}
