use hyper::header::HeaderValue;

use super::*;

fn said(name: &'static str, value: &'static str) -> Credentials {
    let mut headers = HeaderMap::new();
    headers.insert(name, HeaderValue::from_static(value));
    credentials(&headers)
}

fn guest() -> Credentials {
    Credentials::Basic("guest".to_owned(), "gu:est".to_owned())
}

#[test]
fn a_password_may_have_colons() {
    assert_eq!(said("authorization", "Basic Z3Vlc3Q6Z3U6ZXN0"), guest());
    assert_eq!(said("authorization", "basic Z3Vlc3Q6Z3U6ZXN0"), guest());
}

#[test]
fn nonsense_is_no_login() {
    assert_eq!(said("authorization", "Basic !!!"), Credentials::Malformed);
    assert_eq!(said("authorization", "Basic Z3Vlc3Q="), Credentials::Malformed);
    assert_eq!(said("authorization", "Basic"), Credentials::Malformed);
    assert_eq!(said("authorization", "Bearer abc"), Credentials::Foreign);
    assert_eq!(credentials(&HeaderMap::new()), Credentials::None);
}

#[test]
fn a_name_is_a_part_of_one_line_of_the_log() {
    assert_eq!(logged_name("jürgen"), "jürgen");
    assert_eq!(logged_name("eve'\n[info] accepted"), r"eve\'\n[info] accepted");
    assert_eq!(logged_name(&"x".repeat(60_000)).len(), LOGGED_NAME_LEN_MAX);
}
