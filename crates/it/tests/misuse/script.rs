//! The transcript language of `cases/*.txt`.
//!
//! ```text
//! # A comment.
//! conf max_message_size = 100000         a line of rabbitmq.conf for this file's broker
//! setup                                  steps before all cases; its connections live on
//! ctl rabbitmqctl add_vhost err          a tool, which must succeed
//! ! queue.declare queue=c durable        send, and demand the answer
//! == the name of a case                  a fresh connection of guest to vhost err, channel 1 open
//! slow                                   waits for the broker's clock: runs beside the others
//! login user=lim vhost=/ to=open         … another connection instead; see `replay.rs`
//! > basic.get queue=c                    send on channel 1 (`>2` on channel 2; `connection.*` on 0)
//! < basic.get-empty                      the next answer, all its fields (`*` stands for any text)
//! B> queue.declare queue=d exclusive     the same on another connection, B
//! B drop                                 cut B's socket
//! < open                                 the end: see below
//! ```
//!
//! Every case ends with what becomes of the connection: `channel.close …`, `connection.close …`,
//! `dropped` (no close frame), `dropped after 3 s`, `open` (nothing else came, and the channel still
//! answers) or `quiet` (nothing else came, and nothing can be asked at this point).

use it::Words;

/// A file of cases.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) conf: String,
    pub(crate) setup: Vec<Step>,
    pub(crate) cases: Vec<Case>,
}

#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) is_slow: bool,
    pub(crate) steps: Vec<Step>,
}

/// One line.
#[derive(Debug)]
pub(crate) struct Step {
    /// As written.
    pub(crate) line: String,
    /// Which connection; empty for the case's own.
    pub(crate) connection: String,
    pub(crate) action: Action,
}

#[derive(Debug)]
pub(crate) enum Action {
    Login(Words),
    Send { channel: u16, text: String },
    Call { channel: u16, text: String },
    Expect(String),
    Ctl(Vec<String>),
    Drop,
}

impl Script {
    pub(crate) fn parse(name: &str, text: &str) -> Self {
        let mut script = Self {
            name: name.to_owned(),
            conf: String::new(),
            setup: Vec::new(),
            cases: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') || line == "setup" {
                continue;
            }
            if let Some(conf) = line.strip_prefix("conf ") {
                script.conf.push_str(conf);
                script.conf.push('\n');
            } else if let Some(case) = line.strip_prefix("== ") {
                script.cases.push(Case {
                    name: case.to_owned(),
                    is_slow: false,
                    steps: Vec::new(),
                });
            } else if line == "slow" {
                script.cases.last_mut().expect("slow belongs to a case").is_slow = true;
            } else {
                let step = Step::parse(line)
                    .unwrap_or_else(|error| panic!("{name}.txt:{}: {error}", index + 1));
                script
                    .cases
                    .last_mut()
                    .map_or(&mut script.setup, |case| &mut case.steps)
                    .push(step);
            }
        }
        script
    }
}

impl Step {
    fn parse(line: &str) -> Result<Self, String> {
        let named = line.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(line.len());
        let is_name = line.starts_with(|c: char| c.is_ascii_uppercase());
        let (connection, rest) = line.split_at(if is_name { named } else { 0 });
        let rest = rest.trim_start();
        let action = if let Some(words) = rest.strip_prefix("login") {
            Action::Login(Words::parse(words)?)
        } else if let Some(command) = rest.strip_prefix("ctl ") {
            Action::Ctl(
                it::tokens(command)?.iter().map(|word| word.trim_matches('"').to_owned()).collect(),
            )
        } else if rest == "drop" {
            Action::Drop
        } else if let Some(sent) = rest.strip_prefix('>') {
            let (channel, text) = addressed(sent)?;
            Action::Send { channel, text }
        } else if let Some(sent) = rest.strip_prefix('!') {
            let (channel, text) = addressed(sent)?;
            Action::Call { channel, text }
        } else if let Some(expected) = rest.strip_prefix('<') {
            Action::Expect(expected.trim_start().to_owned())
        } else {
            return Err(format!("not a step: {line}"));
        };
        Ok(Self { line: line.to_owned(), connection: connection.to_owned(), action })
    }
}

/// Cuts the channel number off, or finds the one the method belongs on.
fn addressed(sent: &str) -> Result<(u16, String), String> {
    let digits = sent.find(|c: char| !c.is_ascii_digit()).unwrap_or(sent.len());
    let (channel, text) = sent.split_at(digits);
    let text = text.trim_start();
    let usual = u16::from(!text.starts_with("connection."));
    let channel =
        if channel.is_empty() { usual } else { channel.parse().map_err(|_| "channel number")? };
    Ok((channel, text.to_owned()))
}
