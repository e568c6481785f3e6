use super::Pattern;

fn matches(pattern: &str, name: &str) -> bool {
    Pattern::new(pattern).expect("a valid pattern").matches(name)
}

#[test]
fn patterns_search_anywhere() {
    assert!(matches("b", "abc"));
    assert!(!matches("^b", "abc"));
    assert!(matches(".*", ""));
    assert!(matches("", ""));
    assert!(!matches("", "a"));
    assert!(matches("^(?!secret)", "open"));
    assert!(!matches("^(?!secret)", "secret.q"));
    assert!(matches(r"^(\w+)-\1$", "a-a"), "back-references");
    assert!(Pattern::new("(").is_err());
}

#[test]
fn variables_stand_for_themselves() {
    let pattern = Pattern::template("^{username}-.{2}$").expect("a valid pattern");
    let variables = [("username", "a.b")];
    assert!(pattern.matches_with("a.b-xy", &variables));
    assert!(!pattern.matches_with("axb-xy", &variables), "the dot is no wildcard");
    assert!(!pattern.matches_with("a.b-xyz", &variables));
    // Others than the first are not taken for it.
    assert!(pattern.matches_with("c-xy", &[("username", "c")]));
    assert!(!pattern.matches_with("a.b-xy", &[("username", "c")]));
}

#[test]
fn a_pattern_that_backtracks_for_ever_matches_nothing() {
    let name = "a".repeat(60) + "!";
    assert!(!matches(r"^(a+)+\1$(?=b)", &name));
}

/// What RabbitMQ 4.3 says of these, on Erlang 29.
#[test]
fn the_usual_mistakes_have_pcre_s_words_and_positions() {
    let bracket = "missing terminating ] for character class";
    let open = "missing closing parenthesis";
    let closed = "unmatched closing parenthesis";
    let quantifier = "quantifier does not follow a repeatable item";
    for (source, reason, position) in [
        ("[", bracket, 1),
        ("a[", bracket, 2),
        ("[]", bracket, 2),
        ("[^]", bracket, 3),
        ("[^", bracket, 2),
        ("abc[def", bracket, 7),
        ("[]a", bracket, 3),
        ("(", open, 1),
        ("(a", open, 2),
        ("a(b(c", open, 5),
        ("(?:a", open, 4),
        ("(?=a", open, 4),
        ("(?<n>a", open, 6),
        (r"^(amq\.*", open, 8),
        (")", closed, 1),
        ("a)", closed, 2),
        ("a(b)c)", closed, 6),
        ("*", quantifier, 1),
        ("+a", quantifier, 1),
        ("a|*", quantifier, 3),
        ("(*", quantifier, 2),
        ("(|*)", quantifier, 3),
        ("(a|*b)", quantifier, 4),
        ("(?i)*", quantifier, 5),
        ("a***", quantifier, 3),
        ("{2}", quantifier, 3),
        ("a\\", "\\ at end of pattern", 2),
    ] {
        if let Err(error) = Pattern::new(source) {
            assert_eq!((error.reason.as_str(), error.position), (reason, position), "{source}");
        }
        assert_eq!(super::syntax::mistake(source), Some((reason, position)), "{source}");
    }
}

#[test]
fn what_is_right_is_no_mistake() {
    for source in [
        "a++",
        "a+?",
        "[a]]",
        "(?a)",
        "(?=a)*",
        r"(\w+)-\1",
        r"\p{L}{2,3}",
        "[[:alpha:]]+",
        "{name}",
        "(?i)a",
        "(?i:a)",
        "^(?!secret)",
        "a{2}?",
        r"\(",
        r"[\]]",
        "",
        "(?<n>a)",
        "x(?<!y)",
    ] {
        assert_eq!(super::syntax::mistake(source), None, "{source}");
    }
}

#[test]
fn a_pattern_has_a_limit_as_text_and_compiled() {
    for source in
        [r"\w{900}x".to_owned(), "((a{100}){100}){100}".to_owned(), "a".repeat(16 * 1024 + 1)]
    {
        let shown = &source[..source.len().min(20)];
        let error = Pattern::new(&source).expect_err(shown);
        assert_eq!(error.reason, "regular expression is too large", "{shown}");
        assert!(Pattern::template(&format!("{{v}}{source}")).is_err(), "{shown}");
    }
}

#[test]
fn what_names_are_described_by_is_within_the_limit() {
    for source in [r"^\w{1,64}$", "^[a-z0-9._-]{1,255}$", r"^(\d{4}-){3}.{0,64}\.dlq$"] {
        assert!(Pattern::new(source).is_ok(), "{source}");
    }
}
