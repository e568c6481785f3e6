//! Names as Erlang prints them, for texts that RabbitMQ makes of its terms.

/// A text as a binary.
pub(crate) fn binary(text: &str) -> String {
    let encoding = if text.is_ascii() { "" } else { "/utf8" };
    format!("<<\"{}\"{encoding}>>", text.replace('\\', "\\\\").replace('"', "\\\""))
}
