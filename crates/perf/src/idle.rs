//! Connections that are only there.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::bail;

use crate::Arguments;
use crate::client::{Client, Target};

/// Idle connections, kept alive by a thread of their own.
pub(crate) struct Idle {
    keeper: JoinHandle<anyhow::Result<()>>,
    /// Ends the keeper's wait.
    stop: Sender<()>,
}

impl Idle {
    /// Opens as many as were asked for, one after the other.
    pub(crate) fn open(arguments: &Arguments, target: &Target) -> anyhow::Result<Self> {
        let heartbeat = arguments.heartbeat;
        let clients = (0..arguments.idle_connections)
            .map(|_| Client::connect_with(target, heartbeat))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let (stop, stopped) = channel();
        let keeper = std::thread::spawn(move || keep(clients, heartbeat, &stopped));
        Ok(Self { keeper, stop })
    }

    /// Closes them all, in the time of one.
    pub(crate) fn close(self) -> anyhow::Result<()> {
        drop(self.stop);
        match self.keeper.join() {
            Ok(result) => result,
            Err(_) => bail!("the thread of the idle connections has failed"),
        }
    }
}

fn keep(mut clients: Vec<Client>, heartbeat: u16, stopped: &Receiver<()>) -> anyhow::Result<()> {
    let interval = match heartbeat {
        0 => Duration::MAX,
        seconds => Duration::from_secs(seconds.into()) / 2,
    };
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(interval) {
        for client in &mut clients {
            client.beat()?;
        }
    }
    for client in &mut clients {
        client.begin_close()?;
    }
    clients.into_iter().try_for_each(Client::await_close)
}
