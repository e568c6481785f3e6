//! The command line, in PerfTest's words.

use std::path::PathBuf;

use clap::Parser;
use field_table::{FieldTable, FieldValue, ShortStr};

/// Loads an AMQP 0-9-1 broker and reports throughput and latency.
#[derive(Clone, Debug, Parser)]
#[command(disable_help_flag = true)]
pub struct Arguments {
    /// Prints this.
    #[arg(long, short = '?', action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// Broker to load
    #[arg(long, short = 'h', default_value = "amqp://guest:guest@localhost:5672/%2f")]
    pub uri: String,
    /// Publishing connections
    #[arg(long, short = 'x', default_value_t = 1)]
    pub producers: usize,
    /// Consuming connections
    #[arg(long, short = 'y', default_value_t = 1)]
    pub consumers: usize,
    /// Size of a body in bytes; from 8 up it carries the time for latencies
    #[arg(long, short = 's', default_value_t = 12)]
    pub size: usize,
    /// Seconds to run; 0 until the message counts are reached or it is interrupted
    #[arg(long, short = 'z', default_value_t = 10)]
    pub time: u64,
    /// Seconds at the start that the summary leaves out
    #[arg(long, default_value_t = 0)]
    pub warmup: u64,
    /// Messages each producer sends; 0 for no limit
    #[arg(long, short = 'C', default_value_t = 0)]
    pub pmessages: u64,
    /// Messages each consumer takes; 0 for no limit
    #[arg(long, short = 'D', default_value_t = 0)]
    pub cmessages: u64,
    /// Messages a second each producer sends; 0 for as many as possible
    #[arg(long, short = 'r', default_value_t = 0.0)]
    pub rate: f64,
    /// Publish with confirms, at most this many outstanding per producer
    #[arg(long, short = 'c')]
    pub confirm: Option<u64>,
    /// Consume without acknowledgements
    #[arg(long, short = 'a')]
    pub autoack: bool,
    /// Acknowledge every so many deliveries at once; 0 once per read
    #[arg(long, short = 'A', default_value_t = 0)]
    pub multi_ack_every: u64,
    /// Prefetch of each consumer; 0 for none
    #[arg(long, short = 'q', default_value_t = 0)]
    pub qos: u16,
    /// Spread all queues over the consumers, instead of one queue for each
    #[arg(long)]
    pub spread: bool,
    /// Least time to live of a message, in milliseconds; with --expiration-to
    #[arg(long, requires = "expiration_to")]
    pub expiration_from: Option<u64>,
    /// Greatest time to live of a message: every message has its own, evenly between the two
    #[arg(long, requires = "expiration_from")]
    pub expiration_to: Option<u64>,
    /// Queue to use
    #[arg(long, short = 'u', default_value = "perf")]
    pub queue: String,
    /// Many queues: a pattern with %d, used instead of --queue
    #[arg(long)]
    pub queue_pattern: Option<String>,
    /// First number for --queue-pattern
    #[arg(long, default_value_t = 1)]
    pub queue_pattern_from: u64,
    /// Last number for --queue-pattern
    #[arg(long, default_value_t = 1)]
    pub queue_pattern_to: u64,
    /// Exchange to publish to; empty for the default exchange
    #[arg(long, short = 'e', default_value = "")]
    pub exchange: String,
    /// Type of the exchange
    #[arg(long, short = 't', default_value = "direct")]
    pub r#type: String,
    /// Routing key; the queue's name when not given
    #[arg(long, short = 'k')]
    pub routing_key: Option<String>,
    /// Many routing keys: a pattern with %d, cycled through
    #[arg(long)]
    pub routing_key_pattern: Option<String>,
    /// How many numbers --routing-key-pattern and --binding-pattern run through, from 0
    #[arg(long, default_value_t = 1)]
    pub routing_key_count: u64,
    /// Messages in a row with the same routing key
    #[arg(long, default_value_t = 1)]
    pub routing_key_run: u64,
    /// Further bindings of the queues: a pattern with %d
    #[arg(long)]
    pub binding_pattern: Option<String>,
    /// How many bindings --binding-pattern makes, in turn on all queues
    #[arg(long, default_value_t = 0)]
    pub binding_count: u64,
    /// persistent, mandatory; may be given more than once
    #[arg(long, short = 'f')]
    pub flag: Vec<String>,
    /// Arguments of the queues: key=value, comma-separated; integers and booleans by their looks
    #[arg(long)]
    pub queue_args: Option<String>,
    /// Declare the queues auto-delete and not durable, or keep them durable
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub auto_delete: bool,
    /// Queues, exchange and bindings are there already
    #[arg(long, short = 'p')]
    pub predeclared: bool,
    /// Deletes the queues and the exchange in the end
    #[arg(long)]
    pub delete: bool,
    /// Further connections that open a channel and stay idle to the end
    #[arg(long, default_value_t = 0)]
    pub idle_connections: usize,
    /// Seconds of the heartbeat that idle connections negotiate and keep up; 0 for none
    #[arg(long, default_value_t = 0)]
    pub heartbeat: u16,
    /// Seconds between two lines of progress; 0 for none
    #[arg(long, short = 'i', default_value_t = 1)]
    pub interval: u64,
    /// Bytes a producer writes at once at most
    #[arg(long, default_value_t = 64 * 1024)]
    pub write_batch: usize,
    /// Threads; connections are spread over them
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Write the summary as JSON to this file, - for standard output
    #[arg(long)]
    pub json: Option<PathBuf>,
}

impl Arguments {
    /// The queues used, in order.
    pub(crate) fn queues(&self) -> Vec<String> {
        match &self.queue_pattern {
            None => vec![self.queue.clone()],
            Some(pattern) => {
                let numbers = self.queue_pattern_from..=self.queue_pattern_to;
                numbers.map(|number| pattern.replacen("%d", &number.to_string(), 1)).collect()
            }
        }
    }

    /// The queues that consumer `number` takes from.
    pub(crate) fn queues_of_consumer(&self, number: usize) -> Vec<String> {
        let queues = self.queues();
        match self.spread {
            true => queues.into_iter().skip(number).step_by(self.consumers).collect(),
            false => vec![queues[number % queues.len()].clone()],
        }
    }

    /// Between which times to live messages are published, in milliseconds.
    pub(crate) fn expirations(&self) -> Option<std::ops::RangeInclusive<u64>> {
        Some(self.expiration_from?..=self.expiration_to?)
    }

    pub(crate) fn has_flag(&self, name: &str) -> bool {
        self.flag.iter().any(|flag| flag == name)
    }

    /// `--queue-args` as a table.
    pub(crate) fn queue_arguments(&self) -> anyhow::Result<FieldTable> {
        let mut table = FieldTable::default();
        for pair in self.queue_args.iter().flat_map(|all| all.split(',')) {
            let Some((key, value)) = pair.split_once('=') else {
                anyhow::bail!("queue argument '{pair}' is not key=value");
            };
            let value = match (value.parse::<i64>(), value) {
                (Ok(number), _) => FieldValue::I64(number),
                (_, "true") => FieldValue::Bool(true),
                (_, "false") => FieldValue::Bool(false),
                _ => FieldValue::from(value),
            };
            table.insert(ShortStr::new(key)?, value);
        }
        Ok(table)
    }
}
