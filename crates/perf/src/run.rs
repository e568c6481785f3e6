//! Sets the scene, runs the load, watches it.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use amqp091_codec::{
    BasicQos, ConfirmSelect, ExchangeDeclare, ExchangeDelete, Method, QueueBind, QueueDeclare,
    QueueDelete, Table, encode_method,
};
use anyhow::{Context, ensure};

use crate::Arguments;
use crate::client::{CHANNEL, Client, Target};
use crate::consumer::{Consumer, Taste};
use crate::idle::Idle;
use crate::publisher::{Load, Publisher, STAMP_LEN};
use crate::report::{Counters, Counts, Summary, latency_text};

type Work = Pin<Box<dyn Future<Output = anyhow::Result<()>>>>;
/// Made on the thread that runs it, because a socket belongs to its runtime.
type Start = Box<dyn FnOnce() -> anyhow::Result<Work> + Send>;

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let target = Target::parse(&arguments.uri)?;
    ensure!(!arguments.queues().is_empty(), "--queue-pattern-to is below --queue-pattern-from");
    ensure!(
        arguments.expirations().is_none_or(|it| !it.is_empty()),
        "--expiration-to is below --expiration-from"
    );
    let start = Instant::now();
    if !arguments.predeclared {
        declare(&arguments, &target)?;
    }
    let declared_in = start.elapsed();
    let idle = Idle::open(&arguments, &target)?;
    let counters = Arc::new(Counters::new());
    let epoch = Instant::now();
    let mut starts: Vec<Start> = Vec::new();
    for number in 0..arguments.consumers {
        starts.push(consumer(&arguments, &target, number, &counters, epoch)?);
    }
    for number in 0..arguments.producers {
        starts.push(publisher(&arguments, &target, number, &counters, epoch)?);
    }
    let (done, ended) = channel();
    let count = starts.len();
    let mut by_thread: Vec<Vec<Start>> = Vec::new();
    by_thread.resize_with(arguments.threads.clamp(1, count.max(1)), Vec::new);
    let threads = by_thread.len();
    for (number, start) in starts.into_iter().enumerate() {
        by_thread[number % threads].push(start);
    }
    let workers = by_thread.into_iter().map(|starts| {
        let done = done.clone();
        std::thread::spawn(move || work(starts, &done))
    });
    let workers: Vec<_> = workers.collect();
    let line = format!("set up in {:.3} s\n", start.elapsed().as_secs_f64());
    drop(io::stderr().write_all(line.as_bytes()));
    let mut summary = watch(&arguments, &counters, count, &ended)?;
    summary.declared_in = declared_in;
    counters.end();
    for worker in workers {
        ensure!(worker.join().is_ok(), "a thread of the load has failed");
    }
    if arguments.delete {
        delete(&arguments, &target)?;
    }
    idle.close()?;
    print(&arguments, &summary)
}

/// The body of a thread: all its connections on one runtime.
fn work(starts: Vec<Start>, done: &Sender<anyhow::Result<()>>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            drop(done.send(Err(error.into())));
            return;
        }
    };
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let mut tasks = Vec::new();
        for start in starts {
            let done = done.clone();
            tasks.push(tokio::task::spawn_local(async move {
                let result = match start() {
                    Ok(work) => work.await,
                    Err(error) => Err(error),
                };
                drop(done.send(result));
            }));
        }
        for task in tasks {
            drop(task.await);
        }
    });
}

fn declare(arguments: &Arguments, target: &Target) -> anyhow::Result<()> {
    let mut client = Client::connect(target)?;
    let mut table = Vec::new();
    arguments.queue_arguments()?.encode_fields(&mut table);
    let table = Table::new(&table)?;
    let is_durable = arguments.has_flag("persistent");
    if is_exchange_ours(arguments) {
        let method = Method::from(ExchangeDeclare {
            ticket: 0,
            exchange: &arguments.exchange,
            kind: &arguments.r#type,
            passive: false,
            durable: is_durable,
            auto_delete: arguments.auto_delete,
            internal: false,
            nowait: false,
            arguments: Table::EMPTY,
        });
        client.call(&method, |it| matches!(it, Method::ExchangeDeclareOk(_)))?;
    }
    let queues = arguments.queues();
    for queue in &queues {
        let method = Method::from(QueueDeclare {
            ticket: 0,
            queue,
            passive: false,
            durable: is_durable,
            exclusive: false,
            auto_delete: arguments.auto_delete,
            nowait: false,
            arguments: table,
        });
        client.call(&method, |it| matches!(it, Method::QueueDeclareOk(_)))?;
        if !arguments.exchange.is_empty() {
            let key = arguments.routing_key.as_deref().unwrap_or(queue);
            let method = bind(&arguments.exchange, queue, key, false);
            client.call(&method, |it| matches!(it, Method::QueueBindOk(_)))?;
        }
    }
    bind_many(arguments, &mut client, &queues)?;
    client.close()
}

/// Deletes what [`declare`] made, in a few writes; the last answer is awaited.
fn delete(arguments: &Arguments, target: &Target) -> anyhow::Result<()> {
    let mut client = Client::connect(target)?;
    let mut frames = Vec::new();
    let queues = arguments.queues();
    for queue in &queues {
        encode_method(CHANNEL, &deletion(queue, true), &mut frames);
    }
    client.send_frames(&frames)?;
    // The answer to a second deletion of the last queue tells that all came to pass.
    let last = deletion(&queues[queues.len() - 1], false);
    client.call(&last, |it| matches!(it, Method::QueueDeleteOk(_)))?;
    if is_exchange_ours(arguments) {
        let method = Method::from(ExchangeDelete {
            ticket: 0,
            exchange: &arguments.exchange,
            if_unused: false,
            nowait: false,
        });
        client.call(&method, |it| matches!(it, Method::ExchangeDeleteOk(_)))?;
    }
    client.close()
}

fn deletion(queue: &str, nowait: bool) -> Method<'_> {
    Method::from(QueueDelete { ticket: 0, queue, if_unused: false, if_empty: false, nowait })
}

/// Whether the exchange is one to declare and delete.
fn is_exchange_ours(arguments: &Arguments) -> bool {
    !arguments.exchange.is_empty() && !arguments.exchange.starts_with("amq.")
}

/// Thousands of bindings in a few writes; the last one is awaited.
fn bind_many(arguments: &Arguments, client: &mut Client, queues: &[String]) -> anyhow::Result<()> {
    let Some(pattern) = &arguments.binding_pattern else { return Ok(()) };
    let mut frames = Vec::new();
    for (number, queue) in (0..arguments.binding_count).zip(queues.iter().cycle()) {
        let key = pattern.replacen("%d", &number.to_string(), 1);
        encode_method(CHANNEL, &bind(&arguments.exchange, queue, &key, true), &mut frames);
        if frames.len() > arguments.write_batch {
            client.send_frames(&frames)?;
            frames.clear();
        }
    }
    client.send_frames(&frames)?;
    let key = pattern.replacen("%d", "0", 1);
    let last = bind(&arguments.exchange, &queues[0], &key, false);
    client.call(&last, |it| matches!(it, Method::QueueBindOk(_)))
}

fn bind<'a>(exchange: &'a str, queue: &'a str, routing_key: &'a str, nowait: bool) -> Method<'a> {
    let arguments = Table::EMPTY;
    Method::from(QueueBind { ticket: 0, queue, exchange, routing_key, nowait, arguments })
}

fn consumer(
    arguments: &Arguments,
    target: &Target,
    number: usize,
    counters: &Arc<Counters>,
    epoch: Instant,
) -> anyhow::Result<Start> {
    let mut client = Client::connect(target)?;
    let qos = BasicQos { prefetch_size: 0, prefetch_count: arguments.qos, global: false };
    client.call(&Method::from(qos), |it| matches!(it, Method::BasicQosOk(_)))?;
    let queues = arguments.queues_of_consumer(number);
    ensure!(!queues.is_empty(), "there are more consumers than queues to spread over them");
    client.consume(&queues, arguments.autoack)?;
    let taste = Taste {
        is_autoack: arguments.autoack,
        multi_ack_every: arguments.multi_ack_every,
        messages_max: arguments.cmessages,
        is_stamped: arguments.size >= STAMP_LEN,
    };
    let counters = counters.clone();
    Ok(Box::new(move || {
        let consumer = Consumer::new(client.into_load()?, taste, counters, epoch);
        Ok(Box::pin(consumer.run()) as Work)
    }))
}

fn publisher(
    arguments: &Arguments,
    target: &Target,
    number: usize,
    counters: &Arc<Counters>,
    epoch: Instant,
) -> anyhow::Result<Start> {
    let mut client = Client::connect(target)?;
    if arguments.confirm.is_some() {
        let method = Method::from(ConfirmSelect { nowait: false });
        client.call(&method, |it| matches!(it, Method::ConfirmSelectOk(_)))?;
    }
    let queues = arguments.queues();
    let routing_keys = match (&arguments.routing_key_pattern, &arguments.routing_key) {
        (Some(pattern), _) => (0..arguments.routing_key_count.max(1))
            .map(|number| pattern.replacen("%d", &number.to_string(), 1))
            .collect(),
        (None, Some(key)) => vec![key.clone()],
        (None, None) => vec![queues[number % queues.len()].clone()],
    };
    let load = Load {
        exchange: arguments.exchange.clone(),
        routing_keys,
        size: arguments.size,
        is_persistent: arguments.has_flag("persistent"),
        is_mandatory: arguments.has_flag("mandatory"),
        routing_key_run: arguments.routing_key_run.max(1),
        expirations: arguments.expirations(),
        messages_max: arguments.pmessages,
        rate: arguments.rate,
        window: arguments.confirm.map(|window| window.max(1)),
        write_batch: arguments.write_batch,
        frame_max: client.frame_max,
    };
    let counters = counters.clone();
    Ok(Box::new(move || {
        let publisher = Publisher::new(client.into_load()?, load, counters, epoch);
        Ok(Box::pin(publisher.run()) as Work)
    }))
}

/// Waits for the end of the time or of all work, printing progress.
fn watch(
    arguments: &Arguments,
    counters: &Counters,
    mut running: usize,
    ended: &std::sync::mpsc::Receiver<anyhow::Result<()>>,
) -> anyhow::Result<Summary> {
    let start = Instant::now();
    let warmup = Duration::from_secs(arguments.warmup);
    let end = (arguments.time > 0).then(|| warmup + Duration::from_secs(arguments.time));
    let interval = Duration::from_secs(arguments.interval.max(1));
    let mut summary = Summary::new();
    let mut measured_from: Option<(Duration, Counts)> = warmup.is_zero().then(Default::default);
    let mut last = (Duration::ZERO, Counts::default());
    // Without a load, idle connections stay open for the time.
    let is_holding = running == 0 && end.is_some();
    loop {
        let now = start.elapsed();
        let mut next = last.0 + interval;
        if measured_from.is_none() {
            next = next.min(warmup);
        }
        next = end.map_or(next, |end| next.min(end));
        if running == 0 && !is_holding {
            next = now;
        }
        match ended.recv_timeout(next.saturating_sub(now)) {
            Ok(result) => {
                result?;
                running -= 1;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => running = 0,
        }
        let now = start.elapsed();
        let is_over = (running == 0 && !is_holding) || end.is_some_and(|end| now >= end);
        if now < next && !is_over {
            continue;
        }
        let counts = counters.counts();
        let (consume, confirm) = counters.take_latencies();
        if now >= last.0 + interval {
            if arguments.interval > 0 {
                progress(now, now - last.0, counts.since(last.1), &consume);
            }
            last = (now, counts);
        }
        match measured_from {
            Some((from, first)) => {
                summary.consume.add(&consume)?;
                summary.confirm.add(&confirm)?;
                summary.elapsed = now - from;
                summary.counts = counts.since(first);
            }
            None if now >= warmup => measured_from = Some((now, counts)),
            None => {}
        }
        if is_over {
            return Ok(summary);
        }
    }
}

fn progress(
    now: Duration,
    elapsed: Duration,
    counts: Counts,
    consume: &hdrhistogram::Histogram<u64>,
) {
    let rate = |count: u64| count as f64 / elapsed.as_secs_f64();
    let latency = match consume.is_empty() {
        true => String::new(),
        false => format!(", {}", latency_text(consume)),
    };
    let line = format!(
        "time {:.1} s, sent: {:.0} msg/s, received: {:.0} msg/s, confirmed: {:.0} msg/s{latency}\n",
        now.as_secs_f64(),
        rate(counts.sent),
        rate(counts.received),
        rate(counts.confirmed),
    );
    // A pipe gets the summary alone on its standard output.
    let result = match io::stdout().is_terminal() {
        true => io::stdout().write_all(line.as_bytes()),
        false => io::stderr().write_all(line.as_bytes()),
    };
    drop(result);
}

fn print(arguments: &Arguments, summary: &Summary) -> anyhow::Result<()> {
    let json = || serde_json::to_string_pretty(&summary.to_json());
    match &arguments.json {
        Some(path) if path == Path::new("-") => {
            io::stdout().write_all(format!("{}\n", json()?).as_bytes())?;
            return Ok(());
        }
        Some(path) => std::fs::write(path, json()?)
            .with_context(|| format!("cannot write {}", path.display()))?,
        None => {}
    }
    io::stdout().write_all(summary.to_text().as_bytes())?;
    Ok(())
}
