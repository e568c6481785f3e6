mod objects;
mod storage;
mod users;

use expect_test::Expect;

use crate::testing::run;

fn check(script: &str, expected: Expect) {
    expected.assert_eq(&run(script));
}
