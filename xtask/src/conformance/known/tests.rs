use super::*;

fn known(other_broker: bool) -> Known {
    let entries = serde_json::from_str(
        r#"[
            {"suite": "a", "case": "breaks", "fails_on": "rabbitmq", "reason": "a bug of the suite"},
            {"suite": "a", "case": "http*", "fails_on": "leveret", "reason": "management API"},
            {"suite": "a", "case": "m::races", "fails_on": "sometimes", "reason": "a race in the suite"}
        ]"#,
    )
    .unwrap();
    Known { entries, other_broker }
}

fn case(name: &str, outcome: Outcome) -> Case {
    Case { case: name.to_owned(), outcome, message: String::new() }
}

fn told(known: &Known, cases: &[Case]) -> Vec<String> {
    known.compare("a", cases, true).iter().map(ToString::to_string).collect()
}

#[test]
fn listed_cases_fail_and_no_others() {
    let cases = [
        case("breaks", Outcome::Failed),
        case("http_get", Outcome::Failed),
        case("m::races", Outcome::Passed),
        case("works", Outcome::Passed),
    ];
    assert_eq!(told(&known(false), &cases), Vec::<String>::new());
    let cases = [
        case("breaks", Outcome::Passed),
        case("http_get", Outcome::Passed),
        case("works", Outcome::Failed),
        case("m::other", Outcome::Passed),
    ];
    assert_eq!(
        told(&known(false), &cases),
        [
            "PASSED, though listed as failing: breaks",
            "PASSED, though listed as failing: http_get",
            "FAILED works: no message",
            "NOT RUN, though listed as failing: m::races",
        ]
    );
}

#[test]
fn another_broker_may_have_what_leveret_has_not() {
    let cases = [
        case("breaks", Outcome::Failed),
        case("http_get", Outcome::Passed),
        case("m::races", Outcome::Failed),
    ];
    assert_eq!(told(&known(true), &cases), Vec::<String>::new());
}

#[test]
fn a_module_left_out_is_not_missed() {
    let cases = [case("breaks", Outcome::Failed), case("http_get", Outcome::Failed)];
    assert_eq!(told(&known(false), &cases), Vec::<String>::new());
}
