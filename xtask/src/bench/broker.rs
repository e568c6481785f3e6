//! The two brokers: a Leveret of our own and a reference that runs already.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::process::{self, Running};

/// Time that a loader gets beyond its own: declaring 100,000 bindings takes a while.
const SETUP_MAX: Duration = Duration::from_secs(400);

/// Linux counts processor time in these.
const TICKS_PER_SECOND: u64 = 100;

/// Longest wait for a Leveret to listen.
const START_MAX: Duration = Duration::from_secs(60);

/// Leveret's configuration, in its folder.
const CONFIG: &str = "rabbitmq.conf";

/// What `leveret perf` says once connections are open and queues declared.
const READY: &str = "set up in";

/// A broker and how to load it.
pub(super) struct Broker {
    pub(super) name: &'static str,
    uri: String,
    /// What goes before the loader's command.
    prefix: Vec<String>,
    loader: PathBuf,
    /// The process whose memory is measured.
    pub(super) pid: Option<u32>,
}

/// The part of a loader's summary that figures come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Summary {
    pub(super) seconds: f64,
    pub(super) declaring_seconds: f64,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) sending_rate: f64,
    pub(super) receiving_rate: f64,
    pub(super) confirm_rate: f64,
    pub(super) consumer_latency_us: Option<Quantiles>,
    pub(super) confirm_latency_us: Option<Quantiles>,
}

/// Microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Quantiles {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) p99_9: f64,
    pub(super) max: f64,
}

impl Broker {
    pub(super) fn reference(uri: &str, prefix: &[String], loader: &Path, pid: Option<u32>) -> Self {
        Self {
            name: "reference",
            uri: uri.to_owned(),
            prefix: prefix.to_vec(),
            loader: loader.to_owned(),
            pid,
        }
    }

    fn command(&self, arguments: &[String]) -> Command {
        let mut words = self.prefix.iter().map(AsRef::as_ref);
        let loader = self.loader.as_os_str();
        let mut command = match words.next() {
            Some(first) => {
                let mut command = Command::new::<&str>(first);
                command.args(words).arg(loader);
                command
            }
            None => Command::new(loader),
        };
        command.args(["perf", "--uri", &self.uri]).args(arguments);
        command
    }

    /// Runs a load that measures for `seconds` at most.
    pub(super) fn load(&self, arguments: &[String], seconds: u64) -> Result<Summary> {
        let mut command = self.command(arguments);
        command.args(["--interval", "0", "--json", "-"]);
        let limit = SETUP_MAX + Duration::from_secs(seconds);
        let json = process::output(&mut command, limit).with_context(|| self.name)?;
        serde_json::from_str(&json).with_context(|| format!("the loader said {json}"))
    }

    /// Opens idle connections that stay while the result lives, ten minutes at most.
    pub(super) fn hold_connections(&self, count: usize) -> Result<Running> {
        let count = count.to_string();
        let arguments = ["-x", "0", "-y", "0", "--predeclared", "--idle-connections", &count];
        let mut command = self.command(&arguments.map(str::to_owned));
        command.args(["--time", "600", "--interval", "0"]);
        process::start_until(&mut command, READY, SETUP_MAX).with_context(|| self.name)
    }

    /// Processor time used so far.
    pub(super) fn cpu(&self) -> Result<Option<Duration>> {
        let Some(pid) = self.pid else { return Ok(None) };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name in parentheses may hold anything; user and system time are fields 14 and 15.
        let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        let ticks = ticks.sum::<Result<u64, _>>()?;
        Ok(Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)))
    }

    /// Share of a core that it uses while nothing is asked of it, in percent.
    pub(super) fn idle_cpu(&self, time: Duration) -> Result<Option<f64>> {
        let before = self.cpu()?;
        process::settle(time)?;
        let used = before.zip(self.cpu()?).map(|(before, after)| after - before);
        Ok(used.map(|used| used.as_secs_f64() * 100.0 / time.as_secs_f64()))
    }

    /// Starts a load that goes on by itself.
    pub(super) fn begin_load(&self, words: &str) -> Result<Running> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let mut command = self.command(&words);
        command.args(["--interval", "0"]);
        process::start_until(&mut command, READY, SETUP_MAX).with_context(|| self.name)
    }

    /// Resident memory in bytes.
    pub(super) fn resident(&self) -> Result<Option<f64>> {
        let Some(pid) = self.pid else { return Ok(None) };
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
            .with_context(|| format!("process {pid} of the {}", self.name))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|it| it.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
        Ok(Some(kib.context("no VmRSS")? * 1024.0))
    }
}

/// A Leveret on a data directory that is fresh and goes away with it.
pub(super) struct Leveret {
    pub(super) broker: Broker,
    /// Time from its last start until the port took connections.
    pub(super) listening_after: Duration,
    pub(super) data_dir: PathBuf,
    running: Option<Running>,
    folder: PathBuf,
    log: PathBuf,
    address: SocketAddr,
}

impl Leveret {
    /// Starts the binary in `work`.
    pub(super) fn start(binary: &Path, work: &Path) -> Result<Self> {
        Self::start_with(binary, work, "")
    }

    /// As [`Self::start`], with further lines of configuration.
    pub(super) fn start_with(binary: &Path, work: &Path, lines: &str) -> Result<Self> {
        let folder = work.join("leveret");
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        let data_dir = folder.join("data");
        std::fs::create_dir_all(&data_dir)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let config = format!("listeners.tcp.1 = {address}\n{lines}");
        std::fs::write(folder.join(CONFIG), config)?;
        let broker = Broker {
            name: "Leveret",
            uri: format!("amqp://guest:guest@{address}/%2f"),
            prefix: Vec::new(),
            loader: binary.to_owned(),
            pid: None,
        };
        let log = work.join("leveret.log");
        File::create(&log)?;
        let listening_after = Duration::ZERO;
        let mut leveret =
            Self { broker, listening_after, data_dir, running: None, folder, log, address };
        leveret.start_again()?;
        Ok(leveret)
    }

    /// Starts it on the data it left, and waits until it listens.
    pub(super) fn start_again(&mut self) -> Result<()> {
        let out = File::options().append(true).open(&self.log)?;
        let mut command = Command::new(&self.broker.loader);
        command.arg("server").arg("--config").arg(self.folder.join(CONFIG));
        command.arg("--data-dir").arg(&self.data_dir);
        command.stdout(out.try_clone()?).stderr(out);
        let started = Instant::now();
        let mut running = Running::start(&mut command)?;
        let log = self.log.display();
        while TcpStream::connect(self.address).is_err() {
            running.check().with_context(|| format!("leveret; see {log}"))?;
            ensure!(started.elapsed() < START_MAX, "leveret does not listen: {log}");
            std::thread::sleep(Duration::from_micros(200));
        }
        self.listening_after = started.elapsed();
        self.broker.pid = Some(running.id());
        self.running = Some(running);
        Ok(())
    }

    /// Ends it as an operator would.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.running.take().context("not running")?.stop()
    }

    /// Ends it as a crash would.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.running.take().context("not running")?.kill()
    }

    /// An error when it has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        self.running.as_mut().map_or(Ok(()), Running::check).context("Leveret")
    }
}

impl Drop for Leveret {
    fn drop(&mut self) {
        self.running = None;
        // What stays is overwritten by the next start.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
