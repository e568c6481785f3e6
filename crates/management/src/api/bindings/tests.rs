use field_table::FieldTable;

use super::*;

fn key(routing_key: &str, arguments: FieldTable) -> String {
    let routing_key = routing_key.to_owned();
    properties_key(&BindingInfo { routing_key, arguments, ..BindingInfo::default() })
}

#[test]
fn the_key_of_a_binding_is_rabbitmq_s() {
    let is =
        |routing_key, expected: &str| assert_eq!(key(routing_key, FieldTable::new()), expected);
    is("", "~");
    is("plain", "plain");
    is("a.*.c", "a.%2A.c");
    is("rk/with space~%", "rk%2Fwith+space%7E%25");
    is("a_b", "a%5Fb");
    is("é", "%C3%A9");
}

#[test]
fn arguments_are_hashed_into_the_key() {
    let with = |value: &str| FieldTable::new().with("x", value);
    let (one, other) = (key("rk", with("y")), key("rk", with("z")));
    assert_ne!(one, other);
    assert_eq!(one.split_once('~').map(|(head, hash)| (head, hash.len())), Some(("rk", 6)));
    assert!(key("", with("y")).starts_with('~'));
}
