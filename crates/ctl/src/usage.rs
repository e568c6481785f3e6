//! What `help` and wrong use print. The usage lines are RabbitMQ's, the explanations ours.

use crate::commands::{COMMANDS, Command, Tool};

const GENERAL: &str = "[--node <node>] [--longnames] [--quiet]";

/// Options of every command, for people.
const GENERAL_OPTIONS: &str = "\
General Options

    -n, --node <node>       the node to talk to; must be the one of the data directory
        --data-dir <dir>    data directory of the node (default: $LEVERET_DATA_DIR, then
                            /var/lib/leveret for root, ~/.local/share/leveret for others)
    -p, --vhost <vhost>     vhost, for commands about what is in one (default: /)
    -t, --timeout <n>       give up after so many seconds
    -q, --quiet             print results only
    -s, --silent            print results only, without the table's header
        --formatter <name>  table, pretty_table, json, csv or erlang
    -?, --help              explain the command";

/// The usage line of a command.
fn line(command: &Command, tool: Tool) -> String {
    let line = format!("{} {GENERAL} {} {}", tool.name(), command.name, command.usage);
    line.trim_end().to_owned()
}

/// What follows an error about arguments.
pub(crate) fn short(command: &Command, tool: Tool) -> String {
    format!("\nUsage\n\n{}", line(command, tool))
}

/// Everything about a command.
pub(crate) fn of(command: &Command, tool: Tool) -> String {
    let mut columns = (command.columns)();
    columns.sort_unstable();
    let columns = match columns.is_empty() {
        true => String::new(),
        false => format!("\n\n<column>\n\tmust be one of {}\n", columns.join(", ")),
    };
    format!(
        "\nUsage\n\n{}\n\n{}.\n{columns}\n\n{GENERAL_OPTIONS}\n",
        line(command, tool),
        command.about
    )
}

/// All commands of a tool by section.
pub(crate) fn all(tool: Tool) -> String {
    let mut text = format!(
        "\nUsage\n\n{} [--node <node>] [--timeout <timeout>] [--longnames] [--quiet] <command> \
         [<command options>]\n\nAvailable commands:\n",
        tool.name()
    );
    let mut sections: Vec<&str> = Vec::new();
    let of_tool = || COMMANDS.iter().filter(|command| command.tools.contains(&tool));
    for command in of_tool() {
        if !sections.contains(&command.section) {
            sections.push(command.section);
        }
    }
    for section in sections {
        text.push_str(&format!("\n{section}:\n\n"));
        for command in of_tool().filter(|command| command.section == section) {
            text.push_str(&format!("   {:<45} {}\n", command.name, command.about));
        }
    }
    text.push_str(&format!(
        "\nUse '{} help <command>' to learn more about a specific command\n",
        tool.name()
    ));
    text
}
