//! Many declarations at once, for definitions that are imported.

use operator::{Answer, Declaration, Refusal};
use std::sync::mpsc;
use topology::Command;

use super::{COMMIT_TIMEOUT, NodeOperator, log, refusal};

/// Declarations under way at a time. They share a synchronisation of the disk, or a few.
const BATCH_LEN_MAX: usize = 1024;

impl NodeOperator {
    pub(super) fn declare_in_batches(&self, declarations: Vec<Declaration>) -> Answer<()> {
        let mut rest = declarations.into_iter();
        while !rest.as_slice().is_empty() {
            self.declare_batch(rest.by_ref().take(BATCH_LEN_MAX))?;
        }
        Ok(())
    }

    /// Proposes up to the first that is refused at once; then waits for all.
    fn declare_batch(&self, batch: impl Iterator<Item = Declaration>) -> Answer<()> {
        let (sender, receiver) = mpsc::channel();
        let mut proposed = 0;
        let mut checked = Ok(());
        for declaration in batch {
            match self.missing(declaration) {
                Ok(None) => {}
                Ok(Some(command)) => {
                    let (sender, proposal) = (sender.clone(), command.clone());
                    let done = Box::new(move |result| drop(sender.send((command, result))));
                    self.broker.propose_as(operator::actor(), proposal, done);
                    proposed += 1;
                }
                Err(refused) => {
                    checked = Err(refused);
                    break;
                }
            }
        }
        let mut committed = Ok(());
        for _ in 0..proposed {
            let Ok((command, result)) = receiver.recv_timeout(COMMIT_TIMEOUT) else {
                let text = "the changes were not committed in time".to_owned();
                return Err(Refusal::Unavailable(text));
            };
            if let Err(refused) = result {
                log::refused(&command, &refused);
                committed = committed.and(Err(refusal(refused)));
            }
        }
        committed.and(checked)
    }

    /// What makes it, if it is not there.
    fn missing(&self, declaration: Declaration) -> Answer<Option<Command>> {
        let topology = self.broker.topology();
        match declaration {
            Declaration::Exchange(declare) => {
                let vhost = topology.vhost(&declare.vhost);
                if vhost.is_some_and(|it| it.exchange(&declare.name).is_some()) {
                    return Ok(None);
                }
                topology.check_declare_exchange(&declare).map_err(refusal)?;
                Ok(Some(Command::DeclareExchange(declare)))
            }
            Declaration::Queue(declare) => {
                let vhost = topology.vhost(&declare.vhost);
                if vhost.is_some_and(|it| it.queue(&declare.name).is_some()) {
                    return Ok(None);
                }
                topology.check_declare_queue(&declare).map_err(refusal)?;
                self.broker.note_queue_declared();
                Ok(Some(Command::DeclareQueue(declare)))
            }
            Declaration::Binding(binding) => {
                let is_there = topology.check_bind(&binding, None).map_err(refusal)?;
                Ok((!is_there).then_some(Command::Bind(binding)))
            }
        }
    }
}
