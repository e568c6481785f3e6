//! The loop that joins one socket and one protocol.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use broker::{Outbox, Protocol, Status};
use socket2::SockRef;
use stdx::{Signal, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;
use tracing::error;

use crate::buffers::{READ_BUFFER_LEN, with_buffer};
use crate::clock::now;

/// Slices handed to one write.
const SLICES_MAX: usize = 64;

/// Bytes carried from which what arrives is appended to them, instead of them being copied in front of
/// it.
const CARRIED_MAX: usize = READ_BUFFER_LEN / 2;

/// Bytes of buffer given to a frame for the size it announces.
const WANTED_MAX: usize = 1024 * 1024;

/// Turns before the task lets others run.
const TURNS_PER_POLL: usize = 16;

/// Time without traffic after which a connection gives its buffers back: between two bursts they
/// are worth keeping, fresh memory is dear.
const IDLE_MS: u64 = 500;

/// What a connection speaks through: a TCP socket, encrypted or not.
pub trait Socket: AsyncRead + AsyncWrite + Unpin {
    /// The TCP socket below.
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Drives `protocol` with `socket` until either is done.
pub async fn drive(socket: impl Socket, protocol: Box<dyn Protocol>) {
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

impl<S: Socket> Driver<S> {
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
            Status::Aborted => {
                // Who is given up gets nothing more, not even what the kernel still holds for it:
                // others may have that by the time it reads on.
                drop(SockRef::from(self.socket.tcp()).set_linger(Some(Duration::ZERO)));
                return Step::Ended;
            }
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
            Status::Open => match self.read(now, ctx) {
                Ok(true) => has_progress = true,
                Ok(false) => {}
                Err(_) => return Step::Ended,
            },
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
                    self.protocol.note_written();
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
        if CARRIED_MAX <= self.carry.len() {
            return self.read_behind(now, ctx);
        }
        let Self { socket, protocol, carry, is_stalled, idle_at, .. } = self;
        with_buffer(|buffer| {
            buffer[..carry.len()].copy_from_slice(carry);
            let Some(read) = poll_read(socket, ctx, &mut buffer[carry.len()..])? else {
                return Ok(false);
            };
            let input = &buffer[..carry.len() + read];
            let consumed = protocol.handle_bytes(now, input);
            carry.clear();
            carry.extend_from_slice(&input[consumed..]);
            *idle_at = Some(now.plus_ms(IDLE_MS));
            *is_stalled = is_stalled_at(protocol.status(), carry);
            Ok(true)
        })
    }

    /// As [`Self::read`], for a frame larger than a turn.
    fn read_behind(&mut self, now: Timestamp, ctx: &mut Context<'_>) -> io::Result<bool> {
        let Self { socket, protocol, carry, is_stalled, idle_at, .. } = self;
        // What a frame announces is believed up to a point; beyond it, what has arrived counts.
        let wanted = protocol.wanted_bytes().min(WANTED_MAX);
        carry.reserve(wanted.saturating_sub(carry.len()));
        let read = with_buffer(|buffer| {
            let read = poll_read(socket, ctx, buffer)?;
            carry.extend_from_slice(&buffer[..read.unwrap_or(0)]);
            io::Result::Ok(read)
        })?;
        if read.is_none() {
            return Ok(false);
        }
        let consumed = protocol.handle_bytes(now, carry);
        carry.drain(..consumed);
        *idle_at = Some(now.plus_ms(IDLE_MS));
        *is_stalled = is_stalled_at(protocol.status(), carry);
        Ok(true)
    }

    /// A turn over bytes that were read before the protocol paused.
    fn present_again(&mut self, now: Timestamp) {
        let input = std::mem::take(&mut self.carry);
        let consumed = self.protocol.handle_bytes(now, &input);
        self.carry.extend_from_slice(&input[consumed..]);
        self.is_stalled = is_stalled_at(self.protocol.status(), &self.carry);
    }
}

/// Bytes that arrived, `None` if there are none yet, an error at the end of the stream.
fn poll_read(
    socket: &mut (impl AsyncRead + Unpin),
    ctx: &mut Context<'_>,
    space: &mut [u8],
) -> io::Result<Option<usize>> {
    let mut space = ReadBuf::new(space);
    match Pin::new(socket).poll_read(ctx, &mut space) {
        Poll::Pending => Ok(None),
        Poll::Ready(Err(error)) => Err(error),
        Poll::Ready(Ok(())) if space.filled().is_empty() => {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
        Poll::Ready(Ok(())) => Ok(Some(space.filled().len())),
    }
}

fn is_stalled_at(status: Status, carry: &[u8]) -> bool {
    status == Status::Paused && !carry.is_empty()
}
