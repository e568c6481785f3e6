use expect_test::{Expect, expect};

use super::*;

fn check(text: &str, expected: Expect) {
    let shown = match parse(text) {
        Ok(statements) => statements
            .into_iter()
            .map(|statement| match statement {
                Statement::Setting { key, value, line } => {
                    format!("{line} {} = {value:?}", key.join(" | "))
                }
                Statement::Include { path, line } => format!("{line} include {path}"),
            })
            .collect::<Vec<_>>()
            .join("\n"),
        Err(error) => format!("{}: {}", error.line, error.reason),
    };
    expected.assert_eq(&shown);
}

#[test]
fn a_line_is_a_key_and_a_value() {
    check(
        "# a broker\n\n  heartbeat=30\n\tlisteners.tcp.local = 127.0.0.1:5672  \r\n",
        expect![[r#"
            3 heartbeat = "30"
            4 listeners | tcp | local = "127.0.0.1:5672""#]],
    );
}

#[test]
fn a_value_ends_at_a_hash_and_a_quoted_one_does_not() {
    check("default_pass = se#cret", expect![[r#"1 default_pass = "se""#]]);
    check("default_pass = 'se#cret ' # why", expect![[r#"1 default_pass = "se#cret ""#]]);
    check("default_pass = ''", expect![[r#"1 default_pass = """#]]);
    check("default_pass = it's = fine", expect![[r#"1 default_pass = "it's = fine""#]]);
}

#[test]
fn three_quotes_hold_lines() {
    check(
        "motd = '''\none # two\nthree'''\nheartbeat = 1",
        expect![[r##"
            1 motd = "one # two\nthree"
            4 heartbeat = "1""##]],
    );
}

#[test]
fn a_backslash_keeps_a_dot_in_a_word() {
    check(r"loopback_users.a\.b = true", expect![[r#"1 loopback_users | a.b = "true""#]]);
}

#[test]
fn other_files_are_included() {
    check("include conf.d/*.conf # more", expect!["1 include conf.d/*.conf"]);
    check("include = 1", expect![[r#"1 include = "1""#]]);
}

#[test]
fn a_line_that_is_no_setting_is_an_error_at_its_number() {
    check("heartbeat = 1\nheartbeat 2", expect!["2: expected `key = value`"]);
    check("[rabbit]", expect!["1: expected `key = value`"]);
    let key = expect!["1: a key consists of letters, digits, `_`, `-` and dots"];
    check("heart beat = 1", key);
    check("a..b = 1", expect!["1: a key consists of letters, digits, `_`, `-` and dots"]);
    check(r"a\ = 1", expect!["1: a key consists of letters, digits, `_`, `-` and dots"]);
    check("\nheartbeat =  # none", expect!["2: the value is missing"]);
    check("a = 'b", expect!["1: the value's closing ' is missing"]);
    check("a = 'b' c", expect!["1: unexpected text after the closing '"]);
    check("\na = '''b\nc", expect!["2: the value's closing ''' is missing"]);
}
