//! `x-local-random`: one of the bound queues of the publisher's node, by chance.

use std::sync::Arc;

use super::{DependsOn, ExchangeType, Found, NewBinding, Routed, Routes, swap_remove};
use crate::{Binding, QueueKind, Refusal};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "x-local-random",
    description: "Picks one random local binding (queue) to route via (to).",
    depends_on: DependsOn::More,
    validate_binding,
    routes: || Box::<LocalRandom>::default(),
};

/// All bindings are local as long as a cluster has one node.
#[derive(Debug, Default)]
struct LocalRandom(Vec<Arc<Binding>>);

impl Routes for LocalRandom {
    fn add_binding(&mut self, binding: &Arc<Binding>) {
        self.0.push(Arc::clone(binding));
    }

    fn remove_binding(&mut self, binding: &Arc<Binding>) {
        swap_remove(&mut self.0, binding);
    }

    fn route(&self, routed: &Routed<'_>, found: &mut Found<'_>) {
        let count = self.0.len() as u64;
        if let Some(idx) = routed.chance.checked_rem(count)
            && let Some(binding) = self.0.get(usize::try_from(idx).unwrap_or_default())
        {
            found.add(&binding.destination);
        }
    }

    fn bindings(&self) -> Vec<Arc<Binding>> {
        self.0.clone()
    }
}

fn validate_binding(binding: &NewBinding<'_>) -> Result<(), Refusal> {
    if !binding.key.is_empty() {
        return Err(Refusal::precondition_failed(format!(
            "Non empty binding '{}' key not permitted",
            binding.key
        )));
    }
    match binding.queue_kind {
        Some(QueueKind::Classic) => Ok(()),
        Some(kind) => Err(Refusal::precondition_failed(format!(
            "Queue type {} not valid for this exchange type",
            kind.module_name()
        ))),
        None => Err(Refusal::precondition_failed("Destination not found")),
    }
}
