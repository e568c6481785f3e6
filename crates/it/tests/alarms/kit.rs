//! Steps of these tests.

use it::Server;

/// Runs `rabbitmqctl -q` with these words; what it printed.
pub(crate) fn ctl(server: &Server, line: &str) -> String {
    let (status, text) = run(server, "rabbitmqctl", line);
    assert_eq!(status, 0, "rabbitmqctl {line}: {text}");
    text
}

/// Runs `rabbitmq-diagnostics -q`; its status and what it printed, with NODE for the node's name.
pub(crate) fn diagnostics(server: &Server, line: &str) -> (i32, String) {
    let (status, text) = run(server, "rabbitmq-diagnostics", line);
    let is_node = |word: &&str| word.starts_with("rabbit@");
    let node = text.split_ascii_whitespace().find(is_node).unwrap_or("NODE");
    (status, text.replace(node, "NODE"))
}

fn run(server: &Server, tool: &str, line: &str) -> (i32, String) {
    let mut words = vec!["-q"];
    words.extend(line.split(' '));
    let output = server.ctl(tool, &words);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

/// The states of all connections, sorted.
pub(crate) fn states(server: &Server) -> Vec<String> {
    let listed = ctl(server, "list_connections state --no-table-headers");
    let mut states: Vec<String> = listed.lines().map(str::to_owned).collect();
    states.sort();
    states
}
