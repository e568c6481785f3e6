//! A load generator for any AMQP 0-9-1 broker, in the spirit of RabbitMQ's PerfTest.
//!
//! Knows: how to publish and consume at nearly no cost, so that it measures the broker and not
//! itself: frames are laid out once and copied, reads and writes are as large as they come, a
//! clock is read once per batch. Must not know: anything of our own broker.
#![forbid(unsafe_code)]

mod arguments;
mod client;
mod consumer;
mod idle;
mod publisher;
mod report;
mod run;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

pub use arguments::Arguments;

/// Runs the load described by `arguments` (without a program name) and prints what it measured.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let name = std::iter::once(OsString::from("leveret perf"));
    let arguments = match Arguments::try_parse_from(name.chain(arguments)) {
        Ok(arguments) => arguments,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match run::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "leveret perf: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
