use super::*;

#[test]
fn cargo_output_becomes_cases() {
    let output = "
     Running tests/test_get.rs (target/debug/deps/test_get-1)

running 4 tests
test get ... ok
test get_many ... FAILED
test slow ... ignored, takes hours
test talks ... INFO connected
INFO received
ok

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
            ("tests/test_get.rs::talks", Outcome::Passed),
        ]
    );
    assert!(cases[1].message.ends_with("expected 1"));
}

#[test]
fn a_test_that_ends_its_process_failed() {
    let cases =
        read_cargo_output("Running tests/a.rs (x)\ntest dies ... thread overflowed its stack");
    assert_eq!(cases[0].case, "tests/a.rs::dies");
    assert_eq!(cases[0].outcome, Outcome::Failed);
}
