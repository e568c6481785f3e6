//! The real `leveret` as a child process on a data directory of its own.

use std::{
    env, fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{Login, RawClient};

/// How long the broker may take to accept connections: a debug build on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(20);

/// How long a child may take to end by itself once asked.
const STOP_LIMIT: Duration = Duration::from_secs(20);
const LOG_LIMIT: Duration = Duration::from_secs(10);

/// A running broker; dropping it kills it and removes its data.
#[derive(Debug)]
pub struct Server {
    child: Option<Child>,
    dir: TempDir,
    port: u16,
    tls_port: u16,
    http_port: u16,
    metrics_port: u16,
}

impl Server {
    /// Starts a broker on a free port with these lines of `rabbitmq.conf` besides its listener.
    ///
    /// In the lines, `{dir}` stands for the test's own directory, `{port}` for the AMQP port,
    /// `{tls-port}` for that of AMQP over TLS, `{http-port}` for that of HTTP and `{metrics-port}` for that of
    /// metrics. The listener is on 127.0.0.1 unless they say otherwise.
    ///
    /// # Panics
    /// When the binary cannot be built or does not accept connections in time; the panic shows its log.
    #[must_use]
    pub fn start(conf: &str) -> Self {
        let mut server = Self::prepare(conf);
        server.launch();
        server
    }

    /// As [`Self::start`], without starting it.
    ///
    /// # Panics
    /// When its directory cannot be written.
    #[must_use]
    pub fn prepare(conf: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (port, tls_port) = (free_port(), free_port());
        let (http_port, metrics_port) = (free_port(), free_port());
        let mut conf = conf.replace("{dir}", &dir.path().to_string_lossy());
        if !conf.contains("listeners.tcp.") {
            conf.push_str("\nlisteners.tcp.1 = 127.0.0.1:{port}\n");
        }
        if !["management.tcp.", "management.ssl."].iter().any(|it| conf.contains(it)) {
            conf.push_str("\nmanagement.tcp.port = {http-port}\nmanagement.tcp.ip = 127.0.0.1\n");
        }
        if !conf.contains("prometheus.tcp.") {
            conf.push_str("\nprometheus.tcp.listener = 127.0.0.1:{metrics-port}\n");
        }
        let conf = conf.replace("{port}", &port.to_string());
        let conf = conf.replace("{metrics-port}", &metrics_port.to_string());
        let conf = conf.replace("{http-port}", &http_port.to_string());
        let conf = conf.replace("{tls-port}", &tls_port.to_string());
        fs::write(dir.path().join("rabbitmq.conf"), conf).expect("the directory is writable");
        Self { child: None, dir, port, tls_port, http_port, metrics_port }
    }

    /// `127.0.0.1:PORT` of the AMQP listener.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `127.0.0.1:PORT` of the HTTP API.
    #[must_use]
    pub fn http_address(&self) -> String {
        format!("127.0.0.1:{}", self.http_port)
    }

    /// `127.0.0.1:PORT` of the metrics.
    #[must_use]
    pub fn metrics_address(&self) -> String {
        format!("127.0.0.1:{}", self.metrics_port)
    }

    /// `127.0.0.1:PORT` of the TLS listener, if the configuration has one on `{tls-port}`.
    #[must_use]
    pub fn tls_address(&self) -> String {
        format!("127.0.0.1:{}", self.tls_port)
    }

    /// A connection with channel 1 open.
    ///
    /// # Panics
    /// When the broker does not accept it.
    #[must_use]
    pub fn channel(&self) -> RawClient {
        let login = Login::default();
        let mut client = RawClient::connect_open(&self.address(), &login).expect("it accepts");
        client.call(1, "channel.open").expect("a channel");
        client
    }

    /// The most memory the broker has had resident so far, in bytes.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn peak_memory(&self) -> usize {
        let pid = self.pid().expect("it runs");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("readable");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        let kib: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib << 10
    }

    /// The directory that holds the configuration, the log and, under `data`, the broker's data.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The process id, for measuring memory and the like.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// What the broker has written to its standard output and error so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The log, as soon as it has this text: a thread of its own writes it, maybe later than a client
    /// sees what it tells.
    ///
    /// # Panics
    /// When it does not come in time.
    #[must_use]
    pub fn log_with(&self, text: &str) -> String {
        self.file_with("log", text)
    }

    /// A file in [`Self::dir`], as soon as it has this text.
    ///
    /// # Panics
    /// When it does not come in time.
    #[must_use]
    pub fn file_with(&self, name: &str, text: &str) -> String {
        let mut content = String::new();
        let is_told = wait_until(LOG_LIMIT, || {
            content = fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
            content.contains(text)
        });
        assert!(is_told, "{name} does not say {text:?}:\n{content}");
        content
    }

    /// Ends the process at once, as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks the process to end, with the signal service managers send, and waits for it.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let ended = wait_until(STOP_LIMIT, || matches!(child.try_wait(), Ok(Some(_))));
        if !ended {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the broker did not end within {STOP_LIMIT:?} of SIGTERM:\n{}", self.log());
        }
    }

    /// Starts the process again on the same data directory and port.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn restart(&mut self) {
        self.kill();
        self.launch();
    }

    /// Runs a command line tool (`rabbitmqctl`, `rabbitmq-diagnostics`, …) against this broker.
    ///
    /// # Panics
    /// When the binary cannot be run at all.
    #[must_use]
    pub fn ctl(&self, tool: &str, args: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.arg(tool).arg("--data-dir").arg(self.dir.path().join("data")).args(args);
        command.output().expect("the binary was built")
    }

    /// Starts the process again and kills it after a while, ready or not.
    pub fn start_and_kill_after(&mut self, delay: Duration) {
        self.kill();
        let mut child = self.spawn();
        // Not to wait for anything, but to kill at this moment.
        std::thread::park_timeout(delay);
        let _ = child.kill();
        let _ = child.wait();
    }

    fn launch(&mut self) {
        let mut child = self.spawn();
        let address = self.address();
        let mut has_ended = false;
        let accepts = wait_until(START_LIMIT, || {
            has_ended = matches!(child.try_wait(), Ok(Some(_)));
            has_ended || TcpStream::connect(&address).is_ok()
        });
        self.child = Some(child);
        assert!(accepts && !has_ended, "the broker does not accept connections:\n{}", self.log());
    }

    fn spawn(&self) -> Child {
        let log = self.dir.path().join("log");
        let log = fs::OpenOptions::new().create(true).append(true).open(log);
        let log = log.expect("the directory is writable");
        let mut command = Command::new(binary());
        command.arg("server");
        command.arg("--config").arg(self.dir.path().join("rabbitmq.conf"));
        command.arg("--data-dir").arg(self.dir.path().join("data"));
        command.stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a file handle")).stderr(log);
        command.spawn().expect("the binary was built")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The broker under test: a [`Server`] of our own, or one that runs already.
#[derive(Debug)]
pub enum Target {
    /// A broker this test started.
    Own(Server),
    /// `LEVERET_TEST_TARGET` (host:port) and the command prefix `LEVERET_TEST_CTL` that runs its tools.
    Other {
        /// host:port
        address: String,
        /// Words in front of `rabbitmqctl …`.
        ctl: Vec<String>,
    },
}

impl Target {
    /// The broker the environment names, else a new one with this configuration.
    #[must_use]
    pub fn start(conf: &str) -> Self {
        let Ok(address) = env::var("LEVERET_TEST_TARGET") else {
            return Self::Own(Server::start(conf));
        };
        let ctl = env::var("LEVERET_TEST_CTL").unwrap_or_default();
        let ctl = ctl.split_ascii_whitespace().map(str::to_owned).collect();
        Self::Other { address, ctl }
    }

    /// host:port of the AMQP listener.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Own(server) => server.address(),
            Self::Other { address, .. } => address.clone(),
        }
    }

    /// host:port of the TLS listener: another broker's is on 5671.
    #[must_use]
    pub fn tls_address(&self) -> String {
        match self {
            Self::Own(server) => server.tls_address(),
            Self::Other { address, .. } => {
                let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
                format!("{host}:5671")
            }
        }
    }

    /// Runs a command line tool against the broker.
    ///
    /// # Panics
    /// When the tool cannot be run at all.
    #[must_use]
    pub fn ctl(&self, tool: &str, args: &[&str]) -> Output {
        match self {
            Self::Own(server) => server.ctl(tool, args),
            Self::Other { ctl, .. } => {
                let [program, prefix @ ..] = ctl.as_slice() else {
                    panic!("LEVERET_TEST_CTL is not set");
                };
                let mut command = Command::new(program);
                command.args(prefix).arg(tool).args(args).stdin(Stdio::null());
                command.output().expect("LEVERET_TEST_CTL names a program")
            }
        }
    }
}

/// The binary under test, to be run with other arguments than a [`Server`]'s.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn command() -> Command {
    Command::new(binary())
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Polls for a condition of another process, which cannot tell us.
fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if condition() {
            return true;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    false
}

/// The path of the `leveret` binary of the profile this test was built in, built first if need be;
/// or the one that `LEVERET_TEST_BINARY` names.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = env::var_os("LEVERET_TEST_BINARY") {
            return path.into();
        }
        let test = env::current_exe().expect("a test has a path");
        let profile = test.parent().and_then(Path::parent).expect("target/PROFILE/deps/test");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "leveret"]);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        let status = cargo.status().expect("cargo runs");
        assert!(status.success(), "leveret does not build");
        profile.join("leveret")
    })
}
