use config::Config;
use expect_test::{Expect, expect};

use super::*;

/// A message with these settings of the console: the lines that it makes.
fn check(conf: &str, level: LogLevel, text: &str, expected: Expect) {
    let loaded = Config::from_text("rabbitmq.conf", conf, &|_| None).expect("a good file");
    let console = loaded.config.log.console.expect("it is on");
    let colors = console.use_colors.unwrap_or_default().then_some(console.colors);
    let formatter = Formatter::new(console.output.format, TimeZone::UTC, colors);
    let line = Line {
        at_us: 1_795_205_310_040_751,
        level,
        category: Some("connection"),
        text: text.to_owned(),
        source: Some(("log.rs", 7)),
    };
    expected.assert_eq(&formatter.format(&line).replace('\x1b', "ESC"));
}

#[test]
fn each_line_of_a_message_says_when_and_how_severe() {
    check(
        "",
        LogLevel::Warning,
        "closing AMQP connection\nclient unexpectedly closed TCP connection",
        expect![[r"
            2026-11-20 20:08:30.040751+00:00 [warning] <0.0.0> closing AMQP connection
            2026-11-20 20:08:30.040751+00:00 [warning] <0.0.0> client unexpectedly closed TCP connection
        "]],
    );
    check(
        "log.console.formatter.single_line = on",
        LogLevel::Error,
        "Channel error:\n operation caused",
        expect![[r"
            2026-11-20 20:08:30.040751+00:00 [error] <0.0.0> Channel error:, operation caused
        "]],
    );
}

#[test]
fn a_line_is_made_of_what_the_template_names() {
    check(
        "log.console.formatter.plaintext.format = $level|$time $domain $nonsense: $msg <",
        LogLevel::Info,
        "hello",
        expect![[r"
            info|2026-11-20 20:08:30.040751+00:00 rabbitmq.connection <unknown nonsense>: hello <
        "]],
    );
    let times = [
        ("rfc3339_T", expect!["2026-11-20T20:08:30.040751+00:00\n"]),
        ("epoch_usecs", expect!["1795205310040751\n"]),
        ("epoch_secs", expect!["1795205310.040751\n"]),
        ("lager_default", expect!["2026-11-20 20:08:30.040\n"]),
    ];
    for (name, expected) in times {
        let conf = format!(
            "log.console.formatter.plaintext.format = $time\n\
             log.console.formatter.time_format = {name}"
        );
        check(&conf, LogLevel::Info, "hello", expected);
    }
    for (name, expected) in [
        ("uc", expect!["WARNING hello\n"]),
        ("lc3", expect!["wrn hello\n"]),
        ("uc4", expect!["WARN hello\n"]),
    ] {
        let conf = format!(
            "log.console.formatter.plaintext.format = $level $msg\n\
             log.console.formatter.level_format = {name}"
        );
        check(&conf, LogLevel::Warning, "hello", expected);
    }
}

#[test]
fn colours_are_rabbitmq_s_unless_told() {
    let conf = "log.console.formatter.plaintext.format = $msg\nlog.console.use_colors = on\n\
                log.console.color_esc_seqs.info = \\033[1m";
    check(conf, LogLevel::Error, "bad", expect!["ESC[38;5;160mbadESC[0m\n"]);
    check(conf, LogLevel::Info, "good", expect!["ESC[1mgoodESC[0m\n"]);
}

#[test]
fn a_json_line_has_the_fields_that_are_mapped_and_the_others_behind_them() {
    let json = "log.console.formatter = json\n";
    check(
        json,
        LogLevel::Info,
        "a \"b\"\nc",
        expect![[r#"
            {"time":"2026-11-20 20:08:30.040751+00:00","level":"info","msg":"a \"b\"\nc","pid":"<0.0.0>","domain":"rabbitmq.connection","file":"log.rs","line":7}
        "#]],
    );
    check(
        &format!(
            "{json}log.console.formatter.json.field_map = msg:text level verbosity pid:- time:ts *:-\n\
             log.console.formatter.json.verbosity_map = debug:2 *:1\n\
             log.console.formatter.time_format = epoch_secs"
        ),
        LogLevel::Info,
        "hello",
        expect![[r#"
            {"text":"hello","level":"info","verbosity":1,"ts":1795205310}
        "#]],
    );
}
