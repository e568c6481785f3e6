//! The sockets clients connect to, which operators close and open again while the server runs.

use std::net::SocketAddr;

use net::{Listener, Serve};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tracing::info;

/// Bound sockets, with the protocol each one is for.
pub(crate) type Bound = Vec<(Listener, &'static str)>;

/// Binds all sockets of the configuration.
pub(crate) type Bind = Box<dyn Fn() -> anyhow::Result<Bound> + Send + Sync>;

/// All listeners of the node that are served alike: those of clients, or those of HTTP.
pub(crate) struct Listeners<S> {
    bind: Bind,
    served: S,
    /// Tasks that accept; empty while closed.
    accepting: Mutex<Vec<JoinHandle<()>>>,
}

impl<S: Serve> Listeners<S> {
    /// None is open yet.
    pub(crate) fn new(bind: Bind, served: S) -> Self {
        Self { bind, served, accepting: Mutex::default() }
    }

    /// Binds without accepting yet: clients that connect wait.
    pub(crate) fn bind(&self) -> anyhow::Result<Bound> {
        (self.bind)()
    }

    /// Accepts on what was bound.
    pub(crate) fn accept(&self, bound: Bound) {
        let mut accepting = self.accepting.lock();
        for (listener, protocol) in bound {
            if let Ok(address) = listener.local_addr() {
                log_started(protocol, address);
            }
            accepting.push(tokio::spawn(listener.run(protocol, self.served.clone())));
        }
    }

    /// Binds and accepts again, unless it does. For a thread that may block.
    ///
    /// # Errors
    /// When a port has been taken meanwhile; then none is open.
    pub(crate) fn reopen(&self, runtime: &Handle) -> anyhow::Result<()> {
        if !self.accepting.lock().is_empty() {
            return Ok(());
        }
        let _context = runtime.enter();
        self.accept(self.bind()?);
        Ok(())
    }

    /// Closes the sockets; connections stay. They are closed when this returns.
    pub(crate) async fn close(&self) {
        let accepting = std::mem::take(&mut *self.accepting.lock());
        for task in accepting {
            task.abort();
            // The task owns the socket, and its end was asked for.
            drop(task.await);
        }
    }
}

/// In RabbitMQ's words.
fn log_started(protocol: &str, address: SocketAddr) {
    match protocol {
        "amqp" => info!("started TCP listener on {address}"),
        "amqp/ssl" => info!("started TLS (SSL) listener on {address}"),
        "http" => {
            info!("Management plugin: HTTP (non-TLS) listener started on port {}", address.port())
        }
        "https" => info!("Management plugin: HTTPS listener started on port {}", address.port()),
        "http/prometheus" => {
            info!("Prometheus metrics: HTTP (non-TLS) listener started on port {}", address.port())
        }
        "https/prometheus" => {
            info!("Prometheus metrics: HTTPS listener started on port {}", address.port())
        }
        other => info!("started {other} listener on {address}"),
    }
}
