//! What the log says, and where.

use std::fs;

use it::Server;

use super::ctl;

/// The lines of a log that begin at this one, without their times.
fn lines_from(log: &str, first: &str) -> Vec<String> {
    let lines = log.lines().map(|line| line.split_once(' ').map_or("", |(_, rest)| rest));
    let lines = lines.map(|line| line.split_once(' ').map_or("", |(_, rest)| rest));
    lines.skip_while(|line| !line.contains(first)).map(str::to_owned).collect()
}

#[test]
fn what_operators_change_is_logged_in_rabbitmq_s_words_and_without_passwords() {
    let server = Server::start("");
    for words in [
        "add_user ann s3cret-password",
        "set_user_tags ann monitoring policymaker",
        "change_password ann another-s3cret",
        "set_permissions ann ^a ^b .*",
        "set_topic_permissions ann amq.topic ^x ^y",
        "clear_topic_permissions ann amq.topic",
        "clear_topic_permissions ann",
        "clear_permissions ann",
        "clear_password ann",
        "add_vhost shop --description all --tags a,b",
        "set_policy -p shop short ^q {\"max-length\":5}",
        "trace_on -p shop",
        "trace_off -p shop",
        "delete_user ann",
        "delete_vhost shop",
    ] {
        ctl(&server, "rabbitmqctl", &words.split(' ').collect::<Vec<_>>());
    }
    let log = server.log_with("Closing all connections in vhost 'shop'");
    assert!(!log.contains("s3cret"), "{log}");
    let expected = "\
        [info] <0.0.0> Created user 'ann'\n\
        [info] <0.0.0> Successfully set user tags for user 'ann' to [monitoring,policymaker]\n\
        [info] <0.0.0> Successfully changed password for user 'ann'\n\
        [info] <0.0.0> Successfully set permissions for user 'ann' in virtual host '/' to '^a', '^b', '.*'\n\
        [info] <0.0.0> Successfully set topic permissions on exchange 'amq.topic' for user 'ann' in virtual host '/' to '^x', '^y'\n\
        [info] <0.0.0> Successfully cleared topic permissions on exchange 'amq.topic' for user 'ann' in virtual host '/'\n\
        [info] <0.0.0> Successfully cleared topic permissions for user 'ann' in virtual host '/'\n\
        [info] <0.0.0> Successfully cleared permissions for user 'ann' in virtual host '/'\n\
        [info] <0.0.0> Clearing password for user 'ann'\n\
        [info] <0.0.0> Adding vhost 'shop' (description: 'all', tags: [a,b])\n\
        [info] <0.0.0> Successfully set policy 'short' matching all names in virtual host 'shop' using pattern '^q'\n\
        [info] <0.0.0> Enabling tracing for vhost 'shop'\n\
        [info] <0.0.0> Disabling tracing for vhost 'shop'\n\
        [info] <0.0.0> Deleted user 'ann'\n\
        [info] <0.0.0> Closing all connections for user 'ann' because the user is being deleted\n\
        [info] <0.0.0> Deleting vhost 'shop'\n\
        [info] <0.0.0> Closing all connections in vhost 'shop' because it's being deleted";
    assert_eq!(lines_from(&log, "Created user").join("\n"), expected);
}

#[test]
fn a_connection_is_told_of_line_by_line() {
    let server = Server::start("");
    let mut client = server.channel();
    client.call(1, "queue.declare queue=nowhere passive").expect_err("it is not there");
    drop(client);
    let log = server.log_with("client unexpectedly closed TCP connection");
    for line in [
        "[info] <0.0.0> User 'guest' authenticated successfully",
        "[error] <0.0.0> operation queue.declare caused a channel exception not_found: no queue \
         'nowhere' in vhost '/'",
        "[warning] <0.0.0> client unexpectedly closed TCP connection",
    ] {
        assert!(log.lines().any(|it| it.ends_with(line)), "{line}\n{log}");
    }
}

#[test]
fn a_category_has_a_file_of_its_own_that_rotates() {
    let server = Server::start(
        "log.dir = {dir}/logs\nlog.file = all.log\nlog.file.formatter = json\n\
         log.connection.file = connections.log\nlog.connection.rotation.size = 600\n\
         log.connection.rotation.count = 2\nlog.user.level = none",
    );
    let logs = server.dir().join("logs");
    let is_kept = |name: &str| logs.join(name).exists();
    let is_rotated = (0..100).any(|_| {
        drop(server.channel());
        is_kept("connections.log.1")
    });
    assert!(is_rotated);
    let rotated = fs::read_to_string(logs.join("connections.log.1")).expect("a text");
    assert!(rotated.contains("accepting AMQP connection"), "{rotated}");
    assert!((600..1000).contains(&rotated.len()), "{rotated}");
    assert!(!is_kept("connections.log.2"));

    ctl(&server, "rabbitmqctl", &["trace_on"]);
    let all = server.file_with("logs/all.log", "Enabling tracing");
    for text in [&all, &server.log()] {
        assert!(!text.contains("AMQP connection") && !text.contains("authenticated"), "{text}");
    }
    let line = all.lines().find(|line| line.contains("Enabling tracing")).expect("it is there");
    assert!(line.starts_with("{\"time\":\"20"), "{line}");
    let fields = ",\"level\":\"info\",\"msg\":\"Enabling tracing for vhost '/'\",\"pid\":\"<0.0.0>\",\
                  \"domain\":\"rabbitmq\",\"file\":";
    assert!(line.contains(fields), "{line}");
}

#[test]
fn the_level_changes_while_the_broker_runs() {
    let server = Server::start("");
    ctl(&server, "rabbitmqctl", &["set_log_level", "error"]);
    drop(server.channel());
    ctl(&server, "rabbitmqctl", &["add_user", "ann", "pass"]);
    ctl(&server, "rabbitmqctl", &["set_log_level", "info"]);
    ctl(&server, "rabbitmqctl", &["delete_user", "ann"]);
    let log = server.log_with("Deleted user 'ann'");
    assert!(!log.contains("Created user") && !log.contains("authenticated"), "{log}");
}

#[test]
fn the_tools_show_where_the_log_is_and_its_last_lines() {
    let server = Server::start("log.file = {dir}/all.log");
    let file = server.dir().join("all.log").display().to_string();
    assert_eq!(ctl(&server, "rabbitmq-diagnostics", &["log_location", "-q"]), format!("{file}\n"));
    let all = ctl(&server, "rabbitmq-diagnostics", &["log_location", "--all", "-q"]);
    assert_eq!(all, format!("{file}\n<stdout>\n"));
    ctl(&server, "rabbitmqctl", &["trace_on"]);
    ctl(&server, "rabbitmqctl", &["trace_off"]);
    let _ = server.file_with("all.log", "Disabling tracing");
    let tail = ctl(&server, "rabbitmq-diagnostics", &["log_tail", "-N", "2", "-q"]);
    let tail: Vec<&str> = tail.lines().collect();
    assert_eq!(tail.len(), 2, "{tail:?}");
    assert!(tail[0].ends_with("Enabling tracing for vhost '/'"), "{tail:?}");
    assert!(tail[1].ends_with("Disabling tracing for vhost '/'"), "{tail:?}");
    let refused = server.ctl("rabbitmqctl", &["rotate_logs"]);
    assert_eq!(refused.status.code(), Some(69));
}
