//! The broker under test: a Leveret of our own with a fresh data directory, or one that runs.

use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::options::Options;
use super::suites::Suite;
use super::{Paths, setup};

/// Accounts that programs use besides guest: the seeds' `u`, and the one of amqprs' tests.
const USERS: [(&str, &str); 2] = [("u", "u"), ("user", "bitnami")];

/// The tools that suites find in their PATH.
const TOOLS: [&str; 2] = ["rabbitmqctl", "rabbitmq-diagnostics"];

/// A broker ready for a suite.
pub(super) struct Broker {
    pub(super) host: String,
    pub(super) port: u16,
    /// Folder with `rabbitmqctl`, for PATH.
    pub(super) tools: PathBuf,
    /// The data directory, for the tools.
    pub(super) data_dir: PathBuf,
    own: Option<Own>,
}

/// A process of our own.
struct Own {
    process: Child,
    log: PathBuf,
}

/// The leveret binary, built when needed; none with `--target`.
pub(super) fn binary(options: &Options, paths: &Paths) -> Result<Option<PathBuf>> {
    if options.target.is_some() {
        return Ok(None);
    }
    if let Some(binary) = &options.binary {
        return Ok(Some(std::fs::canonicalize(binary).with_context(|| binary.clone())?));
    }
    let profile: &[&str] = if options.debug { &[] } else { &["--release"] };
    let built = Command::new("cargo")
        .args(["build", "--quiet", "--package", "leveret"])
        .args(profile)
        .current_dir(&paths.root)
        .status()?;
    ensure!(built.success(), "leveret does not build");
    let profile = if options.debug { "debug" } else { "release" };
    Ok(Some(crate::target::directory(&paths.root)?.join(profile).join("leveret")))
}

impl Broker {
    /// Starts a fresh Leveret for a suite, or names the given target.
    pub(super) fn start(
        suite: &Suite,
        options: &Options,
        paths: &Paths,
        binary: Option<&Path>,
    ) -> Result<Self> {
        let tools = paths.work.join("bin");
        let data_dir = paths.work.join("broker").join(suite.name);
        link_tools(&tools, binary, options.rabbitmqctl.as_deref())?;
        let broker = match (&options.target, binary) {
            (Some(target), _) => {
                Self { host: target.host.clone(), port: target.port, tools, data_dir, own: None }
            }
            (None, Some(binary)) => {
                let own = launch(binary, &data_dir, paths, suite)?;
                let host = "localhost".to_owned();
                Self { host, port: 5672, tools, data_dir, own: Some(own) }
            }
            (None, None) => bail!("no broker to test"),
        };
        broker.add_users();
        suite.commands.iter().for_each(|line| broker.rabbitmqctl(line.split(' ')));
        Ok(broker)
    }

    /// Adds the accounts. One that exists already is as good; one that cannot be added shows in
    /// the cases that need it.
    fn add_users(&self) {
        for (name, password) in USERS {
            self.rabbitmqctl(["add_user", name, password]);
            self.rabbitmqctl(["set_permissions", name, ".*", ".*", ".*"]);
        }
    }

    fn rabbitmqctl<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) {
        let _ = Command::new(self.tools.join("rabbitmqctl"))
            .args(arguments)
            .env("LEVERET_DATA_DIR", &self.data_dir)
            .output();
    }

    /// Whether anything listens on this port of the broker's machine.
    pub(super) fn listens(&self, port: u16) -> bool {
        TcpStream::connect((self.host.as_str(), port)).is_ok()
    }

    /// Stops our own broker. Gives what went wrong with it: an early end, or a panic in its log.
    pub(super) fn stop(self) -> Result<Option<String>> {
        let Some(mut own) = self.own else { return Ok(None) };
        let early = own.process.try_wait()?;
        if early.is_none() {
            let id = own.process.id().to_string();
            Command::new("kill").args(["-TERM", &id]).status()?;
            let deadline = Instant::now() + Duration::from_secs(10);
            while own.process.try_wait()?.is_none() {
                if Instant::now() > deadline {
                    own.process.kill()?;
                    own.process.wait()?;
                    return Ok(Some("did not stop within 10 s of SIGTERM".to_owned()));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        let log = std::fs::read(&own.log)?;
        let log = String::from_utf8_lossy(&log);
        if let Some(status) = early {
            return Ok(Some(format!("ended early with {status}; see {}", own.log.display())));
        }
        Ok(log.lines().find(|line| line.contains("panicked at")).map(str::to_owned))
    }
}

/// Puts RabbitMQ's tools into a folder: links to leveret, or scripts that call a given command.
fn link_tools(folder: &Path, binary: Option<&Path>, command: Option<&str>) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    for tool in TOOLS {
        let path = folder.join(tool);
        match (binary, command) {
            (Some(binary), _) => std::os::unix::fs::symlink(binary, &path)?,
            (None, Some(command)) => {
                let command = command.replace("rabbitmqctl", tool);
                std::fs::write(&path, format!("#!/bin/sh\nexec {command} \"$@\"\n"))?;
                let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
                std::fs::set_permissions(&path, all)?;
            }
            // The one in PATH.
            (None, None) => {}
        }
    }
    Ok(())
}

fn launch(binary: &Path, data_dir: &Path, paths: &Paths, suite: &Suite) -> Result<Own> {
    ensure!(
        TcpStream::connect(("127.0.0.1", 5672)).is_err(),
        "port 5672 is taken: stop that broker, or name it with --target"
    );
    if data_dir.exists() {
        std::fs::remove_dir_all(data_dir)?;
    }
    std::fs::create_dir_all(data_dir)?;
    let config = paths.work.join("broker").join(format!("{}.conf", suite.name));
    std::fs::write(&config, configuration(&setup::certificates(paths)))?;
    let log = paths.work.join("broker").join(format!("{}.log", suite.name));
    let out = File::create(&log)?;
    let mut process = Command::new(binary)
        .arg("server")
        .arg("--config")
        .arg(&config)
        .arg("--data-dir")
        .arg(data_dir)
        .stdin(std::process::Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()
        .with_context(|| binary.display().to_string())?;
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", 5672)).is_err() {
        if let Some(status) = process.try_wait()? {
            bail!("leveret ended with {status}:\n{}", std::fs::read_to_string(&log)?);
        }
        if Instant::now() > deadline {
            process.kill()?;
            process.wait()?;
            bail!("leveret does not listen after 20 s; see {}", log.display());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(Own { process, log })
}

/// The suites' demands on a broker: TLS with aiormq's test certificates, bodies over 16 MiB.
fn configuration(certificates: &Path) -> String {
    let certificates = certificates.display();
    format!(
        "listeners.tcp.default = 5672
listeners.ssl.default = 5671
ssl_options.cacertfile = {certificates}/ca.pem
ssl_options.certfile = {certificates}/server.pem
ssl_options.keyfile = {certificates}/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
max_message_size = 134217728
"
    )
}
