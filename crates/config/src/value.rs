//! From the text after `=` to a value. Errors use the words of RabbitMQ's own messages.

use std::{net::IpAddr, time::Duration};

use crate::ListenAddress;

pub(crate) type Result<T> = std::result::Result<T, String>;

fn conversion<T>(text: &str, kind: &str) -> Result<T> {
    Err(format!("\"{text}\" cannot be converted to a(n) {kind}"))
}

pub(crate) fn integer<T: TryFrom<i128>>(text: &str) -> Result<T> {
    let Ok(wide) = text.parse::<i128>() else { return conversion(text, "integer") };
    T::try_from(wide).map_err(|_| format!("{wide} is outside the range of this setting"))
}

/// `infinity` or a count.
pub(crate) fn limit(text: &str) -> Result<Option<u64>> {
    if text == "infinity" {
        return Ok(None);
    }
    integer(text).map(Some)
}

/// `infinity` or milliseconds.
pub(crate) fn timeout_ms(text: &str) -> Result<Option<Duration>> {
    Ok(limit(text)?.map(Duration::from_millis))
}

pub(crate) fn boolean(text: &str) -> Result<bool> {
    one_of(text, &[("true", true), ("false", false)])
}

pub(crate) fn fraction(text: &str) -> Result<f64> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && 0.0 <= number => Ok(number),
        _ => conversion(text, "float"),
    }
}

/// A value out of a closed list.
pub(crate) fn one_of<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T> {
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    Err(format!(
        "\"{text}\" is not a valid enum value, acceptable values are: {}",
        names.join(", ")
    ))
}

/// Bytes with an optional KB, MB or GB (powers of 1024, as cuttlefish has it).
pub(crate) fn byte_size(text: &str) -> Result<u64> {
    let lower = text.to_ascii_lowercase();
    let (digits, factor) = [("kb", 1u64 << 10), ("mb", 1 << 20), ("gb", 1 << 30)]
        .into_iter()
        .find_map(|(unit, factor)| Some((lower.strip_suffix(unit)?, factor)))
        .unwrap_or((lower.as_str(), 1));
    match digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)) {
        Some(bytes) => Ok(bytes),
        None => Err(format!("Error converting value \"{text}\" to a number of bytes")),
    }
}

/// Bytes as operators write them for memory and disk: `1000`, `2GB` (powers of 1000), `512MiB` or
/// `512Mi` (powers of 1024). The same rule serves `rabbitmqctl set_disk_free_limit`.
///
/// # Errors
/// A sentence naming the text when it is no amount, or does not fit 64 bits.
pub fn information_unit(text: &str) -> Result<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let unit = unit.to_ascii_lowercase();
    let power = |unit: &str| Some("kmgtp".find(unit.chars().next()?)? as u32 + 1);
    let factor = match unit.as_str() {
        "" => Some(1u64),
        u if u.len() == 1 || (u.len() == 2 && u.ends_with('b')) => {
            power(u).map(|power| 1000u64.pow(power))
        }
        u if (u.len() == 2 && u.ends_with('i')) || (u.len() == 3 && u.ends_with("ib")) => {
            power(u).map(|power| 1024u64.pow(power))
        }
        _ => None,
    };
    digits
        .parse::<u64>()
        .ok()
        .zip(factor)
        .and_then(|(number, factor)| number.checked_mul(factor))
        .ok_or_else(|| format!("\"{text}\" cannot be converted to a number of bytes"))
}

/// A port, or an address and a port; an IPv6 address stands without brackets.
pub(crate) fn listen_address(text: &str) -> Result<ListenAddress> {
    let Some((ip, port)) = text.rsplit_once(':') else {
        return Ok(ListenAddress { ip: None, port: integer(text)? });
    };
    match (ip.parse::<IpAddr>(), port.parse::<u16>()) {
        (Ok(ip), Ok(port)) => Ok(ListenAddress { ip: Some(ip), port }),
        _ => conversion(text, "IP"),
    }
}

/// A password. RabbitMQ also takes `encrypted:...`, which we cannot decrypt yet: better no start
/// than a user whose password is the ciphertext.
pub(crate) fn secret(text: &str) -> Result<String> {
    if text.starts_with("encrypted:") {
        return Err("encrypted values are not supported yet".to_owned());
    }
    Ok(text.to_owned())
}
