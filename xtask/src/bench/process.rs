//! Programs that run while a bench does, and end with it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// How often a wait looks whether it was interrupted.
const POLL: Duration = Duration::from_millis(20);

/// Time a program gets to end after SIGTERM.
const GOODBYE_MAX: Duration = Duration::from_secs(20);

/// Set by the first SIGINT or SIGTERM; then every wait ends, and what was started with it.
static IS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Turns SIGINT and SIGTERM into an error of the next wait, so that programs end by destructors.
pub(super) fn catch_interrupts() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        IS_INTERRUPTED.store(true, Ordering::Relaxed);
    });
    Ok(())
}

fn check() -> Result<()> {
    ensure!(!IS_INTERRUPTED.load(Ordering::Relaxed), "interrupted");
    Ok(())
}

/// Whether an interrupt was the reason of an error.
pub(super) fn is_interrupted() -> bool {
    check().is_err()
}

/// Lets things settle.
pub(super) fn settle(time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        check()?;
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// A program that ends when this is dropped.
pub(super) struct Running(Child);

impl Running {
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).spawn();
        Ok(Self(child.with_context(|| format!("{:?}", command.get_program()))?))
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// An error when it has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        check()?;
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("ended with {status}"),
        }
    }
}

impl Running {
    /// Asks it to end and waits until it has.
    pub(super) fn stop(mut self) -> Result<()> {
        self.end();
        ensure!(self.0.wait()?.success(), "did not end well");
        Ok(())
    }

    /// Ends it without asking.
    pub(super) fn kill(mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    fn end(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        let id = self.0.id().to_string();
        // Where there is no kill, SIGKILL follows.
        drop(Command::new("kill").args(["-TERM", &id]).status());
        let deadline = Instant::now() + GOODBYE_MAX;
        while matches!(self.0.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                drop(self.0.kill());
                drop(self.0.wait());
                return;
            }
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a program to its end and gives its standard output; an error with the last lines of its
/// standard error when it fails or takes longer than `limit`.
pub(super) fn output(command: &mut Command, limit: Duration) -> Result<String> {
    let mut running = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let out = collect(running.0.stdout.take().context("piped")?);
    let err = collect(running.0.stderr.take().context("piped")?);
    let deadline = Instant::now() + limit;
    let status = loop {
        check()?;
        if let Some(status) = running.0.try_wait()? {
            break status;
        }
        ensure!(Instant::now() < deadline, "not done after {} s", limit.as_secs());
        std::thread::sleep(POLL);
    };
    let text = |thread: std::thread::JoinHandle<String>| thread.join().unwrap_or_default();
    let (out, err) = (text(out), text(err));
    ensure!(status.success(), "{}", err.lines().last().unwrap_or("failed"));
    Ok(out)
}

fn collect(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is what there is to tell.
        drop(pipe.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Starts a program and waits until its standard error says a line with `word`.
pub(super) fn start_until(command: &mut Command, word: &str, limit: Duration) -> Result<Running> {
    let mut running = Running::start(command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
    let pipe = BufReader::new(running.0.stderr.take().context("piped")?);
    let (said, lines) = channel();
    // Reads on to the end: a full pipe would stop the program.
    std::thread::spawn(move || {
        pipe.lines().map_while(Result::ok).for_each(|it| drop(said.send(it)))
    });
    let deadline = Instant::now() + limit;
    let mut last = String::new();
    loop {
        check()?;
        ensure!(Instant::now() < deadline, "not ready after {} s", limit.as_secs());
        match lines.recv_timeout(POLL) {
            Ok(line) if line.contains(word) => return Ok(running),
            Ok(line) => last = line,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("ended: {last}"),
        }
    }
}
