//! What drives a connection: bytes in, bytes out, time, wake-ups. Implemented by every front-end,
//! called by `net`, which owns the socket.

use std::sync::Arc;

use stdx::{Signal, Timestamp};

use crate::Outbox;

/// What the driver should do with the socket after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Read when there is something to read.
    Open,
    /// Do not read now. The connection will be woken when reading may go on.
    Paused,
    /// Write what is left, then close.
    Draining,
    /// Close at once and drop what was not written.
    Aborted,
}

/// A connection of some protocol as a state machine without a socket or a clock.
///
/// The driver calls `handle_*` for what happened and then `take_output`, `status` and
/// `poll_timeout` for what to do next.
pub trait Protocol: Send {
    /// Bytes arrived. Consumes whole frames from the front of `input` and returns how many bytes
    /// that was; the driver presents the rest again with more behind it.
    fn handle_bytes(&mut self, now: Timestamp, input: &[u8]) -> usize;

    /// The signal was raised: events, a durable position, an alarm.
    fn handle_wake(&mut self, now: Timestamp);

    /// The instant that `poll_timeout` named has come.
    fn handle_timeout(&mut self, now: Timestamp);

    /// When to call `handle_timeout`.
    fn poll_timeout(&self) -> Option<Timestamp>;

    /// The socket is gone. Called once, last.
    fn handle_disconnect(&mut self, now: Timestamp);

    /// Moves what is to be written into `out`, which is empty: all that came before is written.
    /// Consumers that waited for room may have been served meanwhile, so the driver asks again after
    /// writing.
    fn take_output(&mut self, now: Timestamp, out: &mut Outbox);

    /// The socket took some of what `take_output` gave: the peer is there and reads.
    fn note_written(&mut self);

    /// There was no traffic for a while: free buffers that are empty.
    fn give_back(&mut self, now: Timestamp);

    /// What to do with the socket now.
    fn status(&self) -> Status;

    /// Bytes of input that the incomplete frame in front needs as a whole, 0 if unknown: a hint
    /// for the size of the read buffer.
    fn wanted_bytes(&self) -> usize;

    /// Raised when `handle_wake` should be called.
    fn signal(&self) -> Arc<Signal>;
}
