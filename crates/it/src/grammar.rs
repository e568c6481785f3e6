//! The AMQP 0-9-1 grammar as data, and methods and properties between text and bytes by it.
//!
//! Fields not written are zero, empty or false; fields that are so are not printed. Names are the
//! specification's, with RabbitMQ's extensions.

use crate::{
    value::{Value, decode_table, encode_table, parse_table, table_text, take, take_long},
    words::{Words, quote, unquote, word},
};

/// One method: its name, class and method id, and its fields as `name:type`.
#[derive(Debug)]
pub struct Method {
    /// `class.method`
    pub name: &'static str,
    /// Class and method id.
    pub ids: (u16, u16),
    /// `name:type` separated by blanks; consecutive bits share octets.
    pub fields: &'static str,
}

const fn method(name: &'static str, class: u16, id: u16, fields: &'static str) -> Method {
    Method { name, ids: (class, id), fields }
}

/// Every method RabbitMQ speaks, in the order of their ids.
pub const METHODS: &[Method] = &[
    method(
        "connection.start",
        10,
        10,
        "version-major:octet version-minor:octet server-properties:table mechanisms:longstr locales:longstr",
    ),
    method(
        "connection.start-ok",
        10,
        11,
        "client-properties:table mechanism:shortstr response:longstr locale:shortstr",
    ),
    method("connection.secure", 10, 20, "challenge:longstr"),
    method("connection.secure-ok", 10, 21, "response:longstr"),
    method("connection.tune", 10, 30, "channel-max:short frame-max:long heartbeat:short"),
    method("connection.tune-ok", 10, 31, "channel-max:short frame-max:long heartbeat:short"),
    method("connection.open", 10, 40, "vhost:shortstr reserved-1:shortstr reserved-2:bit"),
    method("connection.open-ok", 10, 41, "known-hosts:shortstr"),
    method(
        "connection.close",
        10,
        50,
        "reply-code:short reply-text:shortstr class-id:short method-id:short",
    ),
    method("connection.close-ok", 10, 51, ""),
    method("connection.blocked", 10, 60, "reason:shortstr"),
    method("connection.unblocked", 10, 61, ""),
    method("connection.update-secret", 10, 70, "new-secret:longstr reason:shortstr"),
    method("connection.update-secret-ok", 10, 71, ""),
    method("channel.open", 20, 10, "out-of-band:shortstr"),
    method("channel.open-ok", 20, 11, "channel-id:longstr"),
    method("channel.flow", 20, 20, "active:bit"),
    method("channel.flow-ok", 20, 21, "active:bit"),
    method(
        "channel.close",
        20,
        40,
        "reply-code:short reply-text:shortstr class-id:short method-id:short",
    ),
    method("channel.close-ok", 20, 41, ""),
    method(
        "access.request",
        30,
        10,
        "realm:shortstr exclusive:bit passive:bit active:bit write:bit read:bit",
    ),
    method("access.request-ok", 30, 11, "ticket:short"),
    method(
        "exchange.declare",
        40,
        10,
        "ticket:short exchange:shortstr type:shortstr passive:bit durable:bit auto-delete:bit internal:bit nowait:bit arguments:table",
    ),
    method("exchange.declare-ok", 40, 11, ""),
    method("exchange.delete", 40, 20, "ticket:short exchange:shortstr if-unused:bit nowait:bit"),
    method("exchange.delete-ok", 40, 21, ""),
    method(
        "exchange.bind",
        40,
        30,
        "ticket:short destination:shortstr source:shortstr routing-key:shortstr nowait:bit arguments:table",
    ),
    method("exchange.bind-ok", 40, 31, ""),
    method(
        "exchange.unbind",
        40,
        40,
        "ticket:short destination:shortstr source:shortstr routing-key:shortstr nowait:bit arguments:table",
    ),
    method("exchange.unbind-ok", 40, 51, ""),
    method(
        "queue.declare",
        50,
        10,
        "ticket:short queue:shortstr passive:bit durable:bit exclusive:bit auto-delete:bit nowait:bit arguments:table",
    ),
    method("queue.declare-ok", 50, 11, "queue:shortstr message-count:long consumer-count:long"),
    method(
        "queue.bind",
        50,
        20,
        "ticket:short queue:shortstr exchange:shortstr routing-key:shortstr nowait:bit arguments:table",
    ),
    method("queue.bind-ok", 50, 21, ""),
    method("queue.purge", 50, 30, "ticket:short queue:shortstr nowait:bit"),
    method("queue.purge-ok", 50, 31, "message-count:long"),
    method(
        "queue.delete",
        50,
        40,
        "ticket:short queue:shortstr if-unused:bit if-empty:bit nowait:bit",
    ),
    method("queue.delete-ok", 50, 41, "message-count:long"),
    method(
        "queue.unbind",
        50,
        50,
        "ticket:short queue:shortstr exchange:shortstr routing-key:shortstr arguments:table",
    ),
    method("queue.unbind-ok", 50, 51, ""),
    method("basic.qos", 60, 10, "prefetch-size:long prefetch-count:short global:bit"),
    method("basic.qos-ok", 60, 11, ""),
    method(
        "basic.consume",
        60,
        20,
        "ticket:short queue:shortstr consumer-tag:shortstr no-local:bit no-ack:bit exclusive:bit nowait:bit arguments:table",
    ),
    method("basic.consume-ok", 60, 21, "consumer-tag:shortstr"),
    method("basic.cancel", 60, 30, "consumer-tag:shortstr nowait:bit"),
    method("basic.cancel-ok", 60, 31, "consumer-tag:shortstr"),
    method(
        "basic.publish",
        60,
        40,
        "ticket:short exchange:shortstr routing-key:shortstr mandatory:bit immediate:bit",
    ),
    method(
        "basic.return",
        60,
        50,
        "reply-code:short reply-text:shortstr exchange:shortstr routing-key:shortstr",
    ),
    method(
        "basic.deliver",
        60,
        60,
        "consumer-tag:shortstr delivery-tag:longlong redelivered:bit exchange:shortstr routing-key:shortstr",
    ),
    method("basic.get", 60, 70, "ticket:short queue:shortstr no-ack:bit"),
    method(
        "basic.get-ok",
        60,
        71,
        "delivery-tag:longlong redelivered:bit exchange:shortstr routing-key:shortstr message-count:long",
    ),
    method("basic.get-empty", 60, 72, "cluster-id:shortstr"),
    method("basic.ack", 60, 80, "delivery-tag:longlong multiple:bit"),
    method("basic.reject", 60, 90, "delivery-tag:longlong requeue:bit"),
    method("basic.recover-async", 60, 100, "requeue:bit"),
    method("basic.recover", 60, 110, "requeue:bit"),
    method("basic.recover-ok", 60, 111, ""),
    method("basic.nack", 60, 120, "delivery-tag:longlong multiple:bit requeue:bit"),
    method("confirm.select", 85, 10, "nowait:bit"),
    method("confirm.select-ok", 85, 11, ""),
    method("tx.select", 90, 10, ""),
    method("tx.select-ok", 90, 11, ""),
    method("tx.commit", 90, 20, ""),
    method("tx.commit-ok", 90, 21, ""),
    method("tx.rollback", 90, 30, ""),
    method("tx.rollback-ok", 90, 31, ""),
];

/// The properties of class basic, in the order of their flags from bit 15 down.
const PROPERTIES: &str = "content-type:shortstr content-encoding:shortstr headers:table \
    delivery-mode:octet priority:octet correlation-id:shortstr reply-to:shortstr \
    expiration:shortstr message-id:shortstr timestamp:longlong type:shortstr user-id:shortstr \
    app-id:shortstr cluster-id:shortstr";

fn fields(list: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    list.split_ascii_whitespace().filter_map(|field| field.split_once(':'))
}

/// Finds a method by its name.
#[must_use]
pub fn method_named(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

/// The name of a class and method id, numbers where there is none, `-` for 0,0.
fn ids_text(class: u16, id: u16) -> String {
    let known = METHODS.iter().find(|method| method.ids == (class, id));
    match known {
        _ if (class, id) == (0, 0) => "-".to_owned(),
        Some(method) => method.name.to_owned(),
        None => format!("{class}.{id}"),
    }
}

fn number_width(kind: &str) -> Option<usize> {
    match kind {
        "octet" => Some(1),
        "short" => Some(2),
        "long" => Some(4),
        "longlong" => Some(8),
        _ => None,
    }
}

fn encode_field(kind: &str, text: Option<&str>, out: &mut Vec<u8>) -> Result<(), String> {
    let text = text.unwrap_or_default();
    match kind {
        "shortstr" => {
            let bytes = unquote(text)?;
            out.push(u8::try_from(bytes.len()).map_err(|_| "short string over 255 bytes")?);
            out.extend(bytes);
        }
        "longstr" => {
            let bytes = unquote(text)?;
            let length = u32::try_from(bytes.len()).map_err(|_| "long string over 4 GB")?;
            out.extend(length.to_be_bytes());
            out.extend(bytes);
        }
        "table" => {
            let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            out.extend(encode_table(&parse_table(inner.unwrap_or_default())?));
        }
        _ => {
            let width = number_width(kind).expect("the grammar has no other type");
            let number = if text.is_empty() {
                0
            } else {
                text.parse::<u64>().map_err(|e| format!("{text}: {e}"))?
            };
            out.extend(&number.to_be_bytes()[8 - width..]);
        }
    }
    Ok(())
}

/// The payload of a method frame.
///
/// # Errors
/// When a field is unknown or its text is not of the field's type.
pub fn encode_method(method: &Method, words: &Words) -> Result<Vec<u8>, String> {
    let named = words.fields.iter().map(|(name, _)| name.as_str());
    for given in named.chain(words.bare.iter().skip(1).map(String::as_str)) {
        if !fields(method.fields).any(|(name, _)| name == given) {
            return Err(format!("{} has no field {given}", method.name));
        }
    }
    let mut out = Vec::new();
    out.extend(method.ids.0.to_be_bytes());
    out.extend(method.ids.1.to_be_bytes());
    let mut bits = 0;
    for (name, kind) in fields(method.fields) {
        if kind != "bit" {
            bits = 0;
            encode_field(kind, words.field(name), &mut out)?;
            continue;
        }
        if bits % 8 == 0 {
            out.push(0);
        }
        if words.bare.iter().any(|word| word == name) {
            *out.last_mut().expect("a bit octet was pushed") |= 1 << (bits % 8);
        }
        bits += 1;
    }
    Ok(out)
}

/// The payload of a content header frame for `body_size` octets, from properties in text form
/// (`{expiration=5, headers={k="v"}}`).
///
/// # Errors
/// When a property is unknown or its text is not of the property's type.
pub(crate) fn encode_header(properties: &str, body_size: u64) -> Result<Vec<u8>, String> {
    let inner = properties.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let mut given = Vec::new();
    for part in crate::words::parts(inner.unwrap_or_default())? {
        let (name, value) = part.split_once('=').ok_or_else(|| format!("expected k=v: {part}"))?;
        given.push((name.to_owned(), value.to_owned()));
    }
    let mut flags = 0_u16;
    let mut values = Vec::new();
    let mut used = 0;
    for (index, (name, kind)) in fields(PROPERTIES).enumerate() {
        if let Some((_, text)) = given.iter().find(|(key, _)| key == name) {
            flags |= 1 << (15 - index);
            encode_field(kind, Some(text), &mut values)?;
            used += 1;
        }
    }
    if used != given.len() {
        return Err(format!("an unknown property in {properties}"));
    }
    let mut out = vec![0, 60, 0, 0];
    out.extend(body_size.to_be_bytes());
    out.extend(flags.to_be_bytes());
    out.extend(values);
    Ok(out)
}

fn decode_field(kind: &str, bytes: &mut &[u8]) -> Option<String> {
    match kind {
        "shortstr" => {
            let length = usize::from(take(bytes, 1)?[0]);
            Some(word(take(bytes, length)?))
                .map(|text| if text == "\"\"" { String::new() } else { text })
        }
        "longstr" => Some(word(take_long(bytes)?))
            .map(|text| if text == "\"\"" { String::new() } else { text }),
        "table" => {
            let table: Vec<(String, Value)> = decode_table(bytes)?;
            Some(if table.is_empty() { String::new() } else { table_text(&table) })
        }
        _ => {
            let raw = take(bytes, number_width(kind)?)?;
            let number = raw.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            Some(if number == 0 { String::new() } else { number.to_string() })
        }
    }
}

/// The text form of a method frame's payload; `None` when it is no method of the grammar or cut short.
#[must_use]
pub fn decode_method(payload: &[u8]) -> Option<String> {
    let mut rest = payload;
    let ids = take(&mut rest, 4)?;
    let ids = (u16::from_be_bytes([ids[0], ids[1]]), u16::from_be_bytes([ids[2], ids[3]]));
    let method = METHODS.iter().find(|method| method.ids == ids)?;
    if matches!(method.name, "connection.close" | "channel.close") {
        return decode_close(method.name, rest);
    }
    let mut text = method.name.to_owned();
    let mut bits = 0;
    let mut octet = 0;
    for (name, kind) in fields(method.fields) {
        if kind != "bit" {
            bits = 0;
            let value = decode_field(kind, &mut rest)?;
            if !value.is_empty() {
                text.push_str(&format!(" {name}={value}"));
            }
            continue;
        }
        if bits % 8 == 0 {
            octet = take(&mut rest, 1)?[0];
        }
        if octet & (1 << (bits % 8)) != 0 {
            text.push_str(&format!(" {name}"));
        }
        bits += 1;
    }
    rest.is_empty().then_some(text)
}

/// `channel.close 404 queue.declare "NOT_FOUND - …"`: the form closes are quoted in.
fn decode_close(name: &str, mut rest: &[u8]) -> Option<String> {
    let code = u16::from_be_bytes(take(&mut rest, 2)?.try_into().ok()?);
    let length = usize::from(take(&mut rest, 1)?[0]);
    let text = take(&mut rest, length)?;
    let class = u16::from_be_bytes(take(&mut rest, 2)?.try_into().ok()?);
    let id = u16::from_be_bytes(take(&mut rest, 2)?.try_into().ok()?);
    Some(format!("{name} {code} {} {}", ids_text(class, id), quote(text)))
}

/// The body size and the properties (empty when there are none) of a content header's payload.
pub(crate) fn decode_header(payload: &[u8]) -> Option<(u64, String)> {
    let mut rest = payload;
    take(&mut rest, 4)?;
    let size = u64::from_be_bytes(take(&mut rest, 8)?.try_into().ok()?);
    let flags = u16::from_be_bytes(take(&mut rest, 2)?.try_into().ok()?);
    let mut properties = Vec::new();
    for (index, (name, kind)) in fields(PROPERTIES).enumerate() {
        if flags & (1 << (15 - index)) != 0 {
            let value = decode_field(kind, &mut rest)?;
            let empty = if kind == "table" {
                "{}"
            } else if kind == "shortstr" {
                "\"\""
            } else {
                "0"
            };
            properties.push(format!("{name}={}", if value.is_empty() { empty } else { &value }));
        }
    }
    let text = if properties.is_empty() {
        String::new()
    } else {
        format!("{{{}}}", properties.join(", "))
    };
    Some((size, text))
}
