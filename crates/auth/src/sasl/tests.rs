use expect_test::{Expect, expect};
use field_table::ShortStr;

use super::*;

fn guest() -> Anonymous {
    Anonymous { user: "guest".to_owned(), password: "guest".to_owned() }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn check(mechanism: &str, response: &[u8], expected: Expect) {
    let guest = guest();
    let circumstances = Circumstances { anonymous: Some(&guest), certificate: None };
    check_in(circumstances, mechanism, response, expected);
}

fn check_in(circumstances: Circumstances<'_>, mechanism: &str, response: &[u8], expected: Expect) {
    let enabled = names(&["ANONYMOUS", "PLAIN", "AMQPLAIN", "EXTERNAL"]);
    let actual = match Mechanism::find(mechanism.as_bytes(), &enabled, circumstances) {
        None => "no such mechanism".to_owned(),
        Some(mechanism) => match mechanism.respond(response, circumstances) {
            Ok(Attempt { user, password: Some(password) }) => {
                format!("{user} / {}", String::from_utf8_lossy(&password))
            }
            Ok(Attempt { user, password: None }) => format!("{user}, proven"),
            Err(rejection) => rejection.to_string(),
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
fn external_is_whom_the_certificate_names() {
    let named = Ok("CN=ann".to_owned());
    let tls = Circumstances { anonymous: None, certificate: Some(&named) };
    check_in(tls, "EXTERNAL", b"bob", expect!["CN=ann, proven"]);
    let nameless = Err("no name found");
    let tls = Circumstances { anonymous: None, certificate: Some(&nameless) };
    check_in(tls, "EXTERNAL", b"", expect!["no name found"]);
    check_in(Circumstances::default(), "EXTERNAL", b"", expect!["no such mechanism"]);
}

#[test]
fn unknown_mechanisms_are_not_found() {
    check("GSSAPI", b"", expect!["no such mechanism"]);
    check("plain", b"\0guest\0guest", expect!["no such mechanism"]);
    check_in(Circumstances::default(), "ANONYMOUS", b"", expect!["no such mechanism"]);
}

#[test]
fn mechanisms_are_announced_in_the_configured_order() {
    let (guest, named) = (guest(), Ok("CN=ann".to_owned()));
    let all: Vec<String> = MECHANISMS.iter().map(|m| m.name.to_owned()).collect();
    let announced = |enabled: &[String], anonymous, certificate| {
        Mechanism::announced(enabled, Circumstances { anonymous, certificate })
    };
    let everything = "ANONYMOUS PLAIN AMQPLAIN EXTERNAL";
    assert_eq!(announced(&all, Some(&guest), Some(&named)), everything);
    assert_eq!(announced(&all, Some(&guest), None), "ANONYMOUS PLAIN AMQPLAIN");
    assert_eq!(announced(&all, None, None), "PLAIN AMQPLAIN");
    let some = names(&["AMQPLAIN", "GSSAPI", "PLAIN"]);
    assert_eq!(announced(&some, Some(&guest), None), "AMQPLAIN PLAIN");
}

proptest::proptest! {
    #[test]
    fn no_response_is_too_strange(response: Vec<u8>) {
        for mechanism in MECHANISMS {
            let _ = mechanism.respond(&response, Circumstances::default());
        }
    }

    #[test]
    fn plain_gives_back_what_it_was_given(user in "[^\0]{0,20}", password in "[^\0]{0,20}") {
        let response = format!("\0{user}\0{password}");
        let attempt = MECHANISMS[1].respond(response.as_bytes(), Circumstances::default()).expect("well formed");
        proptest::prop_assert_eq!(attempt, Attempt { user, password: Some(password.into_bytes()) });
    }
}
