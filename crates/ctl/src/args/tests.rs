use expect_test::{Expect, expect};

use super::*;

fn check(line: &str, expected: Expect) {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let specific = [short(flag("if-empty"), 'e'), flag("table-headers"), integer("limit")];
    let parsed = parse(&words, &specific);
    let mut shown = format!("{:?}", parsed.arguments);
    for (name, value) in parsed.options {
        shown.push_str(&format!(" {name}={value}"));
    }
    for (name, value) in parsed.invalid {
        shown.push_str(&format!(" invalid {name} {}", value.unwrap_or_default()));
    }
    expected.assert_eq(&shown);
}

#[test]
fn options_stand_before_and_behind_the_command() {
    check("-p v list_queues name", expect![[r#"["list_queues", "name"] vhost=v"#]]);
    check("list_queues name -p v -q", expect![[r#"["list_queues", "name"] quiet=true vhost=v"#]]);
    check("list --vhost=a=b -p=c", expect![[r#"["list"] vhost=c"#]]);
}

#[test]
fn flags_can_be_grouped_and_negated() {
    check(
        "delete_queue q -eqs",
        expect![[r#"["delete_queue", "q"] if-empty=true quiet=true silent=true"#]],
    );
    check("list --no-table-headers", expect![[r#"["list"] table-headers=false"#]]);
    check("list -qp v", expect![[r#"["list", "v"] invalid -qp "#]]);
}

#[test]
fn two_dashes_end_the_options() {
    check("add_user -- a -q", expect![[r#"["add_user", "a", "-q"]"#]]);
    check("set -1 - -2.5", expect![[r#"["set", "-1", "-", "-2.5"]"#]]);
}

#[test]
fn unknown_options_and_bad_values_are_told() {
    check("list --nope v", expect![[r#"["list", "v"] invalid --nope "#]]);
    check("list --nope=v", expect![[r#"["list"] invalid --nope "#]]);
    check("list -p -q", expect![[r#"["list"] quiet=true invalid -p "#]]);
    check("list -t 0.5", expect![[r#"["list"] invalid -t 0.5"#]]);
    check("list --limit -5", expect![[r#"["list"] limit=-5"#]]);
    check("list -x", expect![[r#"["list"] invalid -x "#]]);
}
