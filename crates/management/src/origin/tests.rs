use super::*;

const SHOP: &str = "https://shop.example";

fn accepts(method: Method, headers: &[(&'static str, &'static str)]) -> bool {
    let mut given = HeaderMap::new();
    for &(name, value) in headers {
        given.insert(name, HeaderValue::from_static(value));
    }
    is_acceptable(&method, &given, &[SHOP.to_owned()])
}

#[test]
fn tools_say_nothing_and_pass() {
    assert!(accepts(Method::DELETE, &[("host", "mq:15672")]));
    assert!(accepts(Method::POST, &[]));
}

#[test]
fn a_page_of_this_server_passes() {
    for (origin, host) in [
        ("http://mq:15672", "mq:15672"),
        ("http://MQ:15672", "mq:15672"),
        ("https://mq", "mq"),
        ("https://mq", "mq:443"),
        ("http://[::1]:15672", "[::1]:15672"),
    ] {
        assert!(accepts(Method::POST, &[("origin", origin), ("host", host)]), "{origin} {host}");
    }
    let behind_proxy = [
        ("sec-fetch-site", "same-origin"),
        ("origin", "https://mq.example"),
        ("host", "127.0.0.1:15672"),
    ];
    assert!(accepts(Method::POST, &behind_proxy));
}

#[test]
fn a_page_of_somebody_else_may_not_change_anything() {
    for origin in ["http://evil.example", "http://mq:8080", "http://mq", "null", "mq:15672", ""] {
        let said = [("origin", origin), ("host", "mq:15672")];
        assert!(!accepts(Method::PUT, &said), "{origin}");
        assert!(accepts(Method::GET, &said), "{origin}");
    }
    for site in ["cross-site", "same-site", "CROSS"] {
        assert!(!accepts(Method::DELETE, &[("sec-fetch-site", site)]), "{site}");
        assert!(accepts(Method::OPTIONS, &[("sec-fetch-site", site)]), "{site}");
    }
    assert!(!accepts(
        Method::POST,
        &[("sec-fetch-site", "cross-site"), ("origin", "http://mq:15672"), ("host", "mq:15672")]
    ));
    assert!(!accepts(Method::POST, &[("origin", "http://mq:15672")]), "no host");
}

#[test]
fn an_origin_that_is_configured_passes() {
    let said = [("sec-fetch-site", "cross-site"), ("origin", SHOP), ("host", "mq:15672")];
    assert!(accepts(Method::PUT, &said));
}
