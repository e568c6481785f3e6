//! Prometheus' text format, version 0.0.4.

use std::io::Write;

use crate::metric::{Kind, Number};

/// Labels of one object, as they stand between braces.
pub(crate) struct Labels<'a> {
    text: &'a mut Vec<u8>,
    is_first: bool,
}

impl<'a> Labels<'a> {
    /// Appends to `text`.
    pub(crate) fn new(text: &'a mut Vec<u8>) -> Self {
        Self { text, is_first: true }
    }

    pub(crate) fn put(&mut self, name: &str, value: &str) {
        self.begin(name);
        for &byte in value.as_bytes() {
            match byte {
                b'\\' => self.text.extend_from_slice(br"\\"),
                b'"' => self.text.extend_from_slice(br#"\""#),
                b'\n' => self.text.extend_from_slice(br"\n"),
                byte => self.text.push(byte),
            }
        }
        self.text.push(b'"');
    }

    /// A channel or a connection, in the form of Erlang's process identifiers.
    pub(crate) fn put_pid(&mut self, name: &str, id: u64) {
        self.begin(name);
        put(self.text, format_args!("<0.{id}.0>\""));
    }

    fn begin(&mut self, name: &str) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.text.push(b',');
        }
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(b"=\"");
    }
}

fn put(text: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    // Memory takes all of it.
    drop(text.write_fmt(what));
}

/// What stands before the samples of a metric.
pub(crate) fn put_head(text: &mut Vec<u8>, prefix: &str, name: &str, kind: &str, help: &str) {
    put(text, format_args!("# TYPE {prefix}{name} {kind}\n# HELP {prefix}{name} {help}\n"));
}

/// One sample, unless there is none.
pub(crate) fn put_sample(
    text: &mut Vec<u8>,
    prefix: &str,
    name: &str,
    labels: &[u8],
    value: Number,
) {
    if value == Number::None {
        return;
    }
    text.extend_from_slice(prefix.as_bytes());
    text.extend_from_slice(name.as_bytes());
    if !labels.is_empty() {
        text.push(b'{');
        text.extend_from_slice(labels);
        text.push(b'}');
    }
    match value {
        Number::Whole(value) => put(text, format_args!(" {value}\n")),
        Number::Real(value) => put(text, format_args!(" {value}\n")),
        Number::None => {}
    }
}

/// A metric that has one sample.
pub(crate) fn put_single(
    text: &mut Vec<u8>,
    name: &str,
    kind: Kind,
    help: &str,
    labels: &[u8],
    value: Number,
) {
    put_head(text, "", name, kind.name(), help);
    put_sample(text, "", name, labels, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_are_escaped() {
        let mut text = Vec::new();
        let mut labels = Labels::new(&mut text);
        labels.put("vhost", "a\\b\"c\nd");
        labels.put("queue", "é");
        labels.put_pid("channel", 7);
        let text = String::from_utf8(text).expect("text");
        assert_eq!(text, r#"vhost="a\\b\"c\nd",queue="é",channel="<0.7.0>""#);
    }

    #[test]
    fn numbers_are_written_whole() {
        let mut text = Vec::new();
        for value in [(1u64 << 60).into(), 0.5f64.into(), f64::NAN.into(), Number::None] {
            put_sample(&mut text, "p_", "n", b"", value);
        }
        let text = String::from_utf8(text).expect("text");
        assert_eq!(text, "p_n 1152921504606846976\np_n 0.5\np_n NaN\n");
    }
}
