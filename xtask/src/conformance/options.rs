//! The task's command line.

use std::net::ToSocketAddrs;

use anyhow::{Context, Result, bail};

pub(super) const USAGE: &str = "\
Usage: cargo xtask conformance [OPTIONS]

Starts a fresh Leveret for each suite on ports 5672 and 5671 and runs the suite against it.

  --suite NAME            Only this suite (may be given more than once)
  --only WORDS            Only cases whose name contains this (suites run by pytest or cargo)
  --list                  Names the suites
  --setup                 Only downloads and installs what the suites need; a later run is offline
  --full                  Also the modules left out of the usual run for their length
  --debug                 Builds Leveret without optimisation, which is quicker
  --binary FILE           Runs this leveret binary instead of building one
  --target HOST:PORT      Runs against a broker that runs already; many suites need it on
                          localhost:5672 with guest/guest
  --rabbitmqctl COMMAND   With --target: the rabbitmqctl of that broker (default: the one in PATH)
";

/// What the caller asked for.
#[derive(Default)]
pub(super) struct Options {
    pub(super) help: bool,
    pub(super) list: bool,
    pub(super) setup_only: bool,
    pub(super) full: bool,
    pub(super) debug: bool,
    pub(super) suites: Vec<String>,
    pub(super) only: Option<String>,
    pub(super) binary: Option<String>,
    pub(super) target: Option<Target>,
    pub(super) rabbitmqctl: Option<String>,
}

/// The address of a broker that runs already.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Target {
    fn parse(text: &str) -> Result<Self> {
        let (host, port) = text.rsplit_once(':').unwrap_or((text, "5672"));
        let port = port.parse().with_context(|| format!("--target {text}: not a port"))?;
        (host, port).to_socket_addrs().with_context(|| format!("--target {text}"))?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl Options {
    pub(super) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().cloned().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" | "-h" => options.help = true,
                "--list" => options.list = true,
                "--setup" => options.setup_only = true,
                "--full" => options.full = true,
                "--debug" => options.debug = true,
                "--suite" => options.suites.push(value()?),
                "--only" => options.only = Some(value()?),
                "--binary" => options.binary = Some(value()?),
                "--target" => options.target = Some(Target::parse(&value()?)?),
                "--rabbitmqctl" => options.rabbitmqctl = Some(value()?),
                other => bail!("no option is named {other}\n\n{USAGE}"),
            }
        }
        Ok(options)
    }
}
