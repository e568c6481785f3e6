use super::*;

#[test]
fn cargo_output_becomes_cases() {
    let output = "
     Running tests/test_get.rs (target/debug/deps/test_get-1)

running 3 tests
test get ... ok
test get_many ... FAILED
test slow ... ignored

failures:

---- get_many stdout ----
thread 'get_many' panicked at tests/test_get.rs:1:
expected 1

failures:
    get_many
";
    let cases = read_cargo_output(output);
    let told: Vec<_> = cases.iter().map(|it| (it.case.as_str(), it.outcome)).collect();
    assert_eq!(
        told,
        [
            ("tests/test_get.rs::get", Outcome::Passed),
            ("tests/test_get.rs::get_many", Outcome::Failed),
            ("tests/test_get.rs::slow", Outcome::Skipped),
        ]
    );
    assert!(cases[1].message.ends_with("expected 1"));
}
