//! What the targets share that feed what a disk may give back.

/// Longest run of bytes that one instruction puts in.
const INSERTED_MAX: usize = 64;

/// Damages what was written, as `script` says: a few bytes for each thing that happens to one of the
/// pieces. Bytes may change, go or come, a piece may end early, be gone, or stand for another.
pub fn damage(pieces: &mut Vec<Vec<u8>>, mut script: &[u8]) {
    while let Some((&[what, which, high, low, value], rest)) = script.split_first_chunk() {
        script = rest;
        if pieces.is_empty() {
            return;
        }
        let which = usize::from(which) % pieces.len();
        let at = usize::from(u16::from_be_bytes([high, low]));
        let piece = &mut pieces[which];
        let at = at % (piece.len() + 1);
        match what % 8 {
            0 => piece.iter_mut().skip(at).take(1).for_each(|byte| *byte = value),
            1 => piece.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (value % 8)),
            2 => piece.truncate(at),
            3 => drop(pieces.remove(which)),
            4 => {
                let len = usize::from(value).min(INSERTED_MAX).min(script.len());
                let (inserted, rest) = script.split_at(len);
                piece.splice(at..at, inserted.iter().copied());
                script = rest;
            }
            5 => {
                let end = piece.len().min(at + usize::from(value));
                piece.drain(at..end);
            }
            6 => {
                let other = pieces[usize::from(value) % pieces.len()].clone();
                pieces[which] = other;
            }
            _ => {
                let len = script.len().min(usize::from(value));
                let (whole, rest) = script.split_at(len);
                *piece = whole.to_vec();
                script = rest;
            }
        }
    }
}
