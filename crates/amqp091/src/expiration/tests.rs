use super::parse;

#[test]
fn numbers_of_milliseconds() {
    assert_eq!(parse(b"0"), Ok(0));
    assert_eq!(parse(b"-0"), Ok(0));
    assert_eq!(parse(b"+5000"), Ok(5000));
    assert_eq!(parse(b"0005"), Ok(5));
    assert_eq!(parse(b"4294967296"), Ok(4_294_967_296));
}

#[test]
fn refusals_in_rabbitmqs_words() {
    let text = |text: &str| parse(text.as_bytes()).expect_err("is no expiration");
    assert_eq!(text("abc"), "invalid expiration 'abc': no_integer");
    assert_eq!(text(""), "invalid expiration '': no_integer");
    assert_eq!(text("-1"), "invalid expiration '-1': {value_negative,-1}");
    assert_eq!(text("5000x"), "invalid expiration '5000x': {leftover_string,\"x\"}");
    assert_eq!(
        text("99999999999999999999"),
        "invalid expiration '99999999999999999999': {value_too_large,\n                                            99999999999999999999}"
    );
}
