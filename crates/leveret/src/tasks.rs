//! What runs beside the connections as long as the server does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use broker::Broker;
use tokio::net::UnixListener;
use tracing::{error, warn};

use crate::operator::NodeOperator;

/// Time between two attempts to accept on the control socket when the system has no room.
const ACCEPT_RETRY: Duration = Duration::from_millis(5);

/// Time between two large blocks for the allocator's sake, beyond the second it keeps freed ones.
const REMINDER_INTERVAL: Duration = Duration::from_millis(1500);

/// Length of such a block, in bytes: large enough to have pages of its own.
const REMINDER_LEN: usize = 8 * 1024 * 1024;

/// Serves the command line tools.
pub(crate) async fn run_control_socket(socket: UnixListener, operator: Arc<NodeOperator>) {
    loop {
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "cannot accept on the control socket");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let is_ours = stream.peer_cred().is_ok_and(|peer| operator.may_operate(peer.uid()));
        if !is_ours {
            warn!("refused a control connection of another user");
            continue;
        }
        let operator = operator.clone();
        // Commands may wait for the disk: they get a thread that may block.
        tokio::task::spawn_blocking(move || {
            let served = stream
                .into_std()
                .and_then(|stream| ctl::server::serve_connection(stream, &*operator));
            if let Err(error) = served {
                tracing::debug!(%error, "a control connection ended early");
            }
        });
    }
}

/// Has the allocator give memory back to the system after large messages or long queues: it keeps
/// freed blocks for a second, then waits for the next large block to look at them, and a broker that
/// has become idle asks for none.
pub(crate) async fn remind_allocator() {
    let mut ticks = tokio::time::interval(REMINDER_INTERVAL);
    loop {
        ticks.tick().await;
        // Never written to, so that it takes addresses and no memory.
        drop(std::hint::black_box(Vec::<u8>::with_capacity(REMINDER_LEN)));
    }
}

/// Tells of dead letters that were dropped because they went round, in RabbitMQ's words.
pub(crate) async fn warn_of_cycles(broker: Arc<Broker>) {
    loop {
        std::future::poll_fn(|ctx| match broker.cycles.signal.poll_take(ctx) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        })
        .await;
        for cycle in broker.cycles.take() {
            let queues: Vec<String> = cycle.iter().map(|name| erlang_binary(name)).collect();
            warn!(
                "Message dropped because the following list of queues (ordered by death recency) \
                 contains a dead letter cycle without reason 'rejected'. This list will not be \
                 logged again: [{}]",
                queues.join(",")
            );
        }
    }
}

/// Tells of queues that a bug has stopped.
pub(crate) async fn tell_of_crashes(broker: Arc<Broker>) {
    loop {
        std::future::poll_fn(|ctx| match broker.crashes.signal.poll_take(ctx) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        })
        .await;
        let found = catch_unwind(AssertUnwindSafe(|| broker.handle_crashes()));
        for queue in found.unwrap_or_default() {
            error!("{queue:?} has crashed and is out of service until the next start");
        }
    }
}

/// A name as Erlang prints a binary.
fn erlang_binary(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name).replace('\\', "\\\\").replace('"', "\\\"");
    let encoding = if text.is_ascii() { "" } else { "/utf8" };
    format!("<<\"{text}\"{encoding}>>")
}

/// Does what queues want done at a time.
pub(crate) async fn run_timers(broker: Arc<Broker>) {
    loop {
        let now = net::now();
        // A bug in one queue's expiry must not end everybody else's.
        let polled = catch_unwind(AssertUnwindSafe(|| broker.poll_timers(now)));
        let next = polled.unwrap_or_else(|_| {
            error!("a queue's timer ended by a bug");
            Some(now)
        });
        let armed = std::future::poll_fn(|ctx| match broker.timers.signal.poll_take(ctx) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        });
        // There may be more to do at once: connections come first.
        tokio::task::yield_now().await;
        match next {
            None => armed.await,
            Some(at) => {
                let wait = Duration::from_millis(at.since_ms(net::now()));
                tokio::select! {
                    () = armed => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }
    }
}
