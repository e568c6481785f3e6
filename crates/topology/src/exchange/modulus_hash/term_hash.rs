//! Erlang's portable hash (`erlang:phash2`) of a list of binaries: Bob Jenkins' hash of 1996, started
//! from the hash of what came before. RabbitMQ chooses by it, so that the same key leads to the same
//! queue here as there.

/// The golden ratio, which Jenkins' hash starts from.
const GOLDEN: u32 = 0x9e37_79b9;
/// Added for a binary: 13 times the golden ratio.
const BINARY: u32 = GOLDEN.wrapping_mul(13);
/// Mixed in for the end of a list: twice the golden ratio.
const END: u32 = GOLDEN.wrapping_mul(2);
/// Erlang's number of the type of the empty list.
const END_TAG: u32 = 2;
/// The hash of the empty list.
const EMPTY_LIST: u32 = 3_468_870_702;

/// Bytes taken at once.
const BLOCK: usize = 12;

/// The hash of the list of `binaries`, 32 bits of it.
pub(super) fn of_list(binaries: &[&[u8]]) -> u32 {
    let hash = binaries.iter().fold(0, |hash, bytes| of_binary(bytes, hash));
    if hash == 0 {
        return EMPTY_LIST;
    }
    mix([END.wrapping_add(END_TAG), END, hash])[2]
}

fn of_binary(bytes: &[u8], before: u32) -> u32 {
    let start = BINARY.wrapping_add(before);
    if bytes.is_empty() {
        return start;
    }
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    let mut state = [GOLDEN, GOLDEN, start];
    for block in blocks {
        state = mix(add(state, block));
    }
    // The lowest byte of the last word is the length's.
    let mut last = [0; BLOCK];
    let (head, tail) = rest.split_at(rest.len().min(8));
    last[..head.len()].copy_from_slice(head);
    last[9..9 + tail.len()].copy_from_slice(tail);
    let [a, b, c] = add(state, &last);
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    mix([a, b, c.wrapping_add(len)])[2]
}

fn add([a, b, c]: [u32; 3], block: &[u8; BLOCK]) -> [u32; 3] {
    let word =
        |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    [a.wrapping_add(word(0)), b.wrapping_add(word(4)), c.wrapping_add(word(8))]
}

/// Three rounds; in each, every word takes the two others away and a shifted one in.
fn mix([mut a, mut b, mut c]: [u32; 3]) -> [u32; 3] {
    for [right, left, back] in [[13, 8, 13], [12, 16, 5], [3, 10, 15]] {
        a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> right);
        b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << left);
        c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> back);
    }
    [a, b, c]
}

#[cfg(test)]
mod tests;
