//! Unsigned integers in as few bytes as they need, seven bits per byte, low bits first.

pub(super) fn write(mut value: u64, out: &mut Vec<u8>) {
    while 0x80 <= value {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn write_signed(value: i64, out: &mut Vec<u8>) {
    write(((value << 1) ^ (value >> 63)) as u64, out);
}

/// Reads a value off the front of `bytes`; `None` when it is cut off or too long.
pub(super) fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && 1 < bits {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

pub(super) fn read_signed(bytes: &mut &[u8]) -> Option<i64> {
    let value = read(bytes)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}
