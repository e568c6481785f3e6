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
}

#[test]
fn a_pattern_that_backtracks_for_ever_matches_nothing() {
    let name = "a".repeat(60) + "!";
    assert!(!matches(r"^(a+)+\1$(?=b)", &name));
}
