//! The loop that joins one socket and one protocol.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use broker::{Outbox, Protocol, Status};
use stdx::{Signal, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use tracing::error;

use crate::buffers::{READ_BUFFER_LEN, with_buffer};
use crate::clock::now;

/// Slices handed to one write.
const SLICES_MAX: usize = 64;

/// Output above which the socket is not read: a client that sends requests without reading the
/// answers waits, it does not fill our memory.
const UNWRITTEN_MAX: usize = 1024 * 1024;

/// Bytes of buffer given to a frame for the size it announces.
const WANTED_MAX: usize = 1024 * 1024;

/// Turns before the task lets others run.
const TURNS_PER_POLL: usize = 16;

/// Time without traffic after which a connection gives its buffers back: between two bursts they
/// are worth keeping, fresh memory is dear.
const IDLE_MS: u64 = 500;

/// Drives `protocol` with `socket` until either is done.
pub async fn drive<S>(socket: S, protocol: Box<dyn Protocol>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let signal = protocol.signal();
    let mut driver = Driver {
        socket,
        protocol,
        signal,
        carry: Vec::new(),
        is_stalled: false,
        out: Outbox::default(),
        timer: None,
        idle_at: None,
    };
    // A bug in a front-end ends its connection and no other, and even then what the connection
    // held goes back to its queues.
    poll_fn(|ctx| {
        let polled = catch_unwind(AssertUnwindSafe(|| driver.poll(ctx)));
        polled.unwrap_or_else(|_| {
            error!("closing a connection because of a bug in its protocol");
            Poll::Ready(())
        })
    })
    .await;
    let parted = catch_unwind(AssertUnwindSafe(|| driver.protocol.handle_disconnect(now())));
    if parted.is_err() {
        error!("could not release all that a connection held, because of a bug in its protocol");
    }
}

struct Driver<S> {
    socket: S,
    protocol: Box<dyn Protocol>,
    signal: Arc<Signal>,
    /// The front of a frame whose rest has not arrived.
    carry: Vec<u8>,
    /// The protocol paused before it had taken all of `carry`: present it again when it goes on,
    /// since nothing more may ever arrive.
    is_stalled: bool,
    /// Taken from the protocol, not yet written.
    out: Outbox,
    timer: Option<(Timestamp, Pin<Box<Sleep>>)>,
    /// When to give buffers back, unless there is traffic again.
    idle_at: Option<Timestamp>,
}

/// What one step of the loop did.
enum Step {
    /// Something; look again.
    Progress,
    /// Nothing; all wakers are registered.
    Idle,
    /// The socket or the protocol has ended.
    Ended,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    fn poll(&mut self, ctx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS_PER_POLL {
            match self.step(ctx) {
                Step::Progress => {}
                Step::Idle => return Poll::Pending,
                Step::Ended => return Poll::Ready(()),
            }
        }
        ctx.waker().wake_by_ref();
        Poll::Pending
    }

    fn step(&mut self, ctx: &mut Context<'_>) -> Step {
        let now = now();
        let mut has_progress = false;
        if self.signal.poll_take(ctx) {
            self.protocol.handle_wake(now);
            has_progress = true;
        }
        if self.poll_timer(now, ctx) {
            has_progress = true;
        }
        match self.write(now, ctx) {
            Ok(true) => has_progress = true,
            Ok(false) => {}
            Err(_) => return Step::Ended,
        }
        match self.protocol.status() {
            Status::Aborted => return Step::Ended,
            Status::Draining if self.out.is_empty() && !has_progress => {
                return match Pin::new(&mut self.socket).poll_shutdown(ctx) {
                    Poll::Pending => Step::Idle,
                    Poll::Ready(_) => Step::Ended,
                };
            }
            Status::Open if self.is_stalled => {
                self.present_again(now);
                has_progress = true;
            }
            Status::Open if self.out.len() < UNWRITTEN_MAX => match self.read(now, ctx) {
                Ok(true) => has_progress = true,
                Ok(false) => {}
                Err(_) => return Step::Ended,
            },
            // Not read because it does not read: that is no reason to think that it is gone.
            Status::Open => self.protocol.note_unread(),
            Status::Paused | Status::Draining => {}
        }
        if has_progress { Step::Progress } else { Step::Idle }
    }

    /// Does what is due and sets the timer to what is due next; true when something was done.
    fn poll_timer(&mut self, now: Timestamp, ctx: &mut Context<'_>) -> bool {
        let mut has_progress = false;
        if self.protocol.poll_timeout().is_some_and(|at| at <= now) {
            self.protocol.handle_timeout(now);
            has_progress = true;
        }
        if self.idle_at.is_some_and(|at| at <= now) {
            self.idle_at = None;
            self.give_back(now);
        }
        let next = match (self.protocol.poll_timeout(), self.idle_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if let Some(at) = next.filter(|at| *at > now) {
            self.set_timer(now, at, ctx);
        }
        has_progress
    }

    /// Frees the buffers of a connection that has been idle for a while.
    fn give_back(&mut self, now: Timestamp) {
        self.carry.shrink_to_fit();
        if self.out.is_empty() {
            // What the protocol still holds comes out empty and goes the same way.
            self.out.shrink(0);
            self.protocol.give_back(now);
            self.timer = None;
        }
    }

    fn set_timer(&mut self, now: Timestamp, at: Timestamp, ctx: &mut Context<'_>) {
        let deadline = || Instant::now() + Duration::from_millis(at.since_ms(now));
        match &mut self.timer {
            // A deadline that moved back is looked at when the old one fires: traffic moves
            // heartbeats with every turn.
            Some((armed, _)) if *armed <= at && *armed > now => {}
            Some((armed, sleep)) => {
                *armed = at;
                sleep.as_mut().reset(deadline());
            }
            None => self.timer = Some((at, Box::pin(tokio::time::sleep_until(deadline())))),
        }
        if let Some((armed, sleep)) = &mut self.timer
            && sleep.as_mut().poll(ctx).is_ready()
        {
            *armed = at;
            sleep.as_mut().reset(deadline());
            // Register the new deadline; should it have come meanwhile, the next step sees it.
            if sleep.as_mut().poll(ctx).is_ready() {
                ctx.waker().wake_by_ref();
            }
        }
    }

    /// Writes until there is nothing left or the socket is full; true when bytes moved.
    fn write(&mut self, now: Timestamp, ctx: &mut Context<'_>) -> io::Result<bool> {
        let mut has_progress = false;
        loop {
            if self.out.is_empty() {
                self.protocol.take_output(now, &mut self.out);
                if self.out.is_empty() {
                    break;
                }
                self.idle_at = Some(now.plus_ms(IDLE_MS));
            }
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.out.slices(&mut slices);
            match Pin::new(&mut self.socket).poll_write_vectored(ctx, &slices[..count]) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => {
                    self.out.advance(written);
                    has_progress = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        if has_progress || !self.out.is_empty() {
            // TLS keeps what it encrypted until it is flushed; on a plain socket this does nothing.
            if let Poll::Ready(Err(error)) = Pin::new(&mut self.socket).poll_flush(ctx) {
                return Err(error);
            }
        }
        Ok(has_progress)
    }

    /// One read and one turn; true when bytes arrived, an error at the end of the stream.
    fn read(&mut self, now: Timestamp, ctx: &mut Context<'_>) -> io::Result<bool> {
        let wanted = self.protocol.wanted_bytes();
        // Room for a full turn behind the carried bytes, unless one frame alone needs more.
        let len = if self.carry.len() >= READ_BUFFER_LEN / 2 || wanted > READ_BUFFER_LEN {
            // What a frame announces is believed up to a point; beyond it, what has arrived counts.
            (self.carry.len() * 2).max(wanted.min(WANTED_MAX)).max(READ_BUFFER_LEN)
        } else {
            READ_BUFFER_LEN
        };
        let Self { socket, protocol, carry, is_stalled, idle_at, .. } = self;
        with_buffer(len, |buffer| {
            buffer[..carry.len()].copy_from_slice(carry);
            let mut space = ReadBuf::new(&mut buffer[carry.len()..]);
            match Pin::new(socket).poll_read(ctx, &mut space) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Ready(Ok(())) => {}
            }
            let read = space.filled().len();
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let input = &buffer[..carry.len() + read];
            let consumed = protocol.handle_bytes(now, input);
            carry.clear();
            carry.extend_from_slice(&input[consumed..]);
            *idle_at = Some(now.plus_ms(IDLE_MS));
            *is_stalled = is_stalled_at(protocol.status(), carry);
            Ok(true)
        })
    }

    /// A turn over bytes that were read before the protocol paused.
    fn present_again(&mut self, now: Timestamp) {
        let input = std::mem::take(&mut self.carry);
        let consumed = self.protocol.handle_bytes(now, &input);
        self.carry.extend_from_slice(&input[consumed..]);
        self.is_stalled = is_stalled_at(self.protocol.status(), &self.carry);
    }
}

fn is_stalled_at(status: Status, carry: &[u8]) -> bool {
    status == Status::Paused && !carry.is_empty()
}
