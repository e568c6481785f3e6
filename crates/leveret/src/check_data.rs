//! `leveret check-data`: says what is in a data directory and whether it is whole.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use node::check::{self, Step};

/// Something is damaged.
const DAMAGED: u8 = 1;
/// The directory cannot be checked: it is in use, not there, or written by a newer server.
const CANNOT: u8 = 2;

/// Time between two lines of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Command line of the check.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    /// The data directory (default: as the server's)
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Checks and reports.
pub(crate) fn run(arguments: &CheckArguments) -> ExitCode {
    let data_dir = arguments.data_dir.clone().unwrap_or_else(config::default_data_dir);
    let mut progress = Progress::new();
    let checked = check::check(&data_dir, &mut |step| progress.show(step));
    progress.clear();
    match checked {
        Ok(report) => {
            drop(writeln!(io::stdout(), "data directory:  {}\n{report}", data_dir.display()));
            if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) }
        }
        Err(error) => {
            drop(writeln!(io::stderr(), "leveret: {:#}", anyhow::Error::from(error)));
            ExitCode::from(CANNOT)
        }
    }
}

/// One line on a terminal, written again and again; nothing elsewhere.
struct Progress {
    is_shown: bool,
    next: Instant,
}

impl Progress {
    fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal(), next: Instant::now() + PROGRESS_INTERVAL }
    }

    fn show(&mut self, step: Step) {
        if !self.is_shown || Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + PROGRESS_INTERVAL;
        let text = match step {
            Step::Log { done, total } => {
                format!("reading the log: {} %", done * 100 / total.max(1))
            }
            Step::ControlPlane => "reading vhosts, users, exchanges and queues".to_owned(),
            Step::Queues(entries) => format!("reading the queues: {entries} entries"),
            Step::Pages { done, total } => {
                format!("reading pages: {} %", done * 100 / total.max(1))
            }
        };
        drop(write!(io::stderr(), "\r\x1b[K{text}"));
    }

    fn clear(&self) {
        if self.is_shown {
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    }
}
