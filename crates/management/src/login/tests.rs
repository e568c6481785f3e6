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
