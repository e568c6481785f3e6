//! Headers of messages that come again.

use amqp091_codec::BasicProperties;
use broker::Attempts;
use expect_test::{Expect, expect};
use field_table::FieldTable;

use super::properties_with;

fn check(properties: &BasicProperties, acquired: u32, failures: u32, expected: Expect) {
    let raw = properties_with(Attempts { acquired, failures }, &properties.to_bytes());
    let sent = BasicProperties::decode(&raw.expect("properties")).expect("they are whole");
    let headers = sent.headers.clone().expect("there are some");
    let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    expected.assert_eq(&lines.join("\n"));
    let others = BasicProperties { headers: None, ..sent };
    assert_eq!(
        others,
        BasicProperties { headers: None, ..properties.clone() },
        "nothing else changed"
    );
}

#[test]
fn the_counts_join_the_headers_in_their_order() {
    let mut headers = FieldTable::new();
    headers.set("z", 1i64);
    headers.set("b", "x");
    let properties =
        BasicProperties { headers: Some(headers), priority: Some(3), ..BasicProperties::default() };
    check(
        &properties,
        2,
        1,
        expect![[r#"
        b: LongStr([120])
        x-acquired-count: I64(2)
        x-delivery-count: I64(1)
        z: I64(1)"#]],
    );
}

#[test]
fn what_never_failed_has_no_failures() {
    check(&BasicProperties::default(), 1, 0, expect!["x-acquired-count: I64(1)"]);
    check(
        &BasicProperties::default(),
        0,
        2,
        expect![[r#"
        x-acquired-count: I64(2)
        x-delivery-count: I64(2)"#]],
    );
}
