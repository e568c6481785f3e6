//! Read buffers, recycled: an idle connection holds none, and fresh pages are dear.

use std::cell::RefCell;

/// Bytes read in one turn at most.
pub(crate) const READ_BUFFER_LEN: usize = 256 * 1024;

/// Buffers kept by each thread.
const KEPT_MAX: usize = 4;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` with a buffer of [`READ_BUFFER_LEN`] bytes.
pub(crate) fn with_buffer<R>(f: impl FnOnce(&mut [u8]) -> R) -> R {
    let kept = KEPT.with_borrow_mut(Vec::pop);
    let mut buffer = kept.unwrap_or_else(|| vec![0; READ_BUFFER_LEN]);
    let result = f(&mut buffer);
    KEPT.with_borrow_mut(|kept| {
        if kept.len() < KEPT_MAX {
            kept.push(buffer);
        }
    });
    result
}
