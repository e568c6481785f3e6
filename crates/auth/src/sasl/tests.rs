use expect_test::{Expect, expect};
use field_table::ShortStr;

use super::*;

fn check(mechanism: &str, response: &[u8], expected: Expect) {
    let guest = Anonymous { user: "guest".to_owned(), password: "guest".to_owned() };
    let enabled = ["ANONYMOUS", "PLAIN", "AMQPLAIN"].map(str::to_owned);
    let actual = match Mechanism::find(mechanism.as_bytes(), &enabled) {
        None => "no such mechanism".to_owned(),
        Some(mechanism) => match mechanism.respond(response, Some(&guest)) {
            Ok(attempt) => {
                format!("{} / {}", attempt.user, String::from_utf8_lossy(&attempt.password))
            }
            Err(malformed) => malformed.to_string(),
        },
    };
    expected.assert_eq(&actual);
}

#[test]
fn plain() {
    check("PLAIN", b"\0guest\0secret", expect!["guest / secret"]);
    check("PLAIN", b"\0\0", expect![" / "]);
    check("PLAIN", b"\0guest\0", expect!["guest / "]);
    check("PLAIN", b"\0gu\xffest\0x", expect!["gu\u{fffd}est / x"]);
    check("PLAIN", b"guest", expect!["PLAIN response invalid"]);
    check("PLAIN", b"", expect!["PLAIN response invalid"]);
    check("PLAIN", b"\0guest", expect!["PLAIN response invalid"]);
    check("PLAIN", b"guest\0guest\0guest", expect!["PLAIN response invalid"]);
    check("PLAIN", b"\0guest\0gu\0est", expect!["PLAIN response invalid"]);
}

#[test]
fn amqplain() {
    let fields = |pairs: &[(&'static str, FieldValue)]| {
        let mut table = FieldTable::new();
        for (key, value) in pairs {
            table.push(ShortStr::literal(key), value.clone());
        }
        let mut out = Vec::new();
        table.encode_fields(&mut out);
        out
    };
    let login = ("LOGIN", FieldValue::from("guest"));
    let password = ("PASSWORD", FieldValue::from("secret"));
    check("AMQPLAIN", &fields(&[login.clone(), password]), expect!["guest / secret"]);
    check(
        "AMQPLAIN",
        &fields(std::slice::from_ref(&login)),
        expect!["AMQPLAIN auth info is missing LOGIN or PASSWORD field"],
    );
    check(
        "AMQPLAIN",
        &fields(&[login, ("PASSWORD", FieldValue::from(5i32))]),
        expect!["AMQPLAIN auth info uses unsupported type for LOGIN or PASSWORD field"],
    );
    check("AMQPLAIN", b"\x05LOG", expect!["AMQPLAIN auth info is not a table"]);
}

#[test]
fn anonymous_is_the_configured_user() {
    check("ANONYMOUS", b"", expect!["guest / guest"]);
    check("ANONYMOUS", b"a trace", expect!["guest / guest"]);
}

#[test]
fn unknown_mechanisms_are_not_found() {
    check("EXTERNAL", b"", expect!["no such mechanism"]);
    check("plain", b"\0guest\0guest", expect!["no such mechanism"]);
}

#[test]
fn mechanisms_are_announced_in_the_configured_order() {
    let guest = Anonymous { user: "guest".to_owned(), password: "guest".to_owned() };
    let all: Vec<String> = MECHANISMS.iter().map(|m| m.name.to_owned()).collect();
    assert_eq!(Mechanism::announced(&all, Some(&guest)), "ANONYMOUS PLAIN AMQPLAIN");
    assert_eq!(Mechanism::announced(&all, None), "PLAIN AMQPLAIN");
    let some = ["AMQPLAIN", "EXTERNAL", "PLAIN"].map(str::to_owned);
    assert_eq!(Mechanism::announced(&some, Some(&guest)), "AMQPLAIN PLAIN");
}

proptest::proptest! {
    #[test]
    fn no_response_is_too_strange(response: Vec<u8>) {
        for mechanism in MECHANISMS {
            let _ = mechanism.respond(&response, None);
        }
    }

    #[test]
    fn plain_gives_back_what_it_was_given(user in "[^\0]{0,20}", password in "[^\0]{0,20}") {
        let response = format!("\0{user}\0{password}");
        let attempt = MECHANISMS[1].respond(response.as_bytes(), None).expect("well formed");
        proptest::prop_assert_eq!(attempt, Attempt { user, password: password.into_bytes() });
    }
}
