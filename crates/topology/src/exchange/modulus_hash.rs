//! `x-modulus-hash`: the routing key chooses one of the bindings, always the same one.

mod term_hash;

use std::sync::Arc;

use super::{DependsOn, ExchangeType, Found, Routed, Routes, any_binding};
use crate::Binding;

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "x-modulus-hash",
    description: "Modulus Hashing Exchange",
    depends_on: DependsOn::Keys,
    validate_binding: any_binding,
    routes: || Box::<ModulusHash>::default(),
};

/// How many hashes there are to RabbitMQ.
const HASH_RANGE: u32 = 1 << 27;

/// In the order of the destinations, so that the choice is the same after a restart. A destination
/// bound twice is in it twice.
#[derive(Debug, Default)]
struct ModulusHash(Vec<Arc<Binding>>);

fn order(binding: &Binding) -> (crate::DestinationKind, &str) {
    (binding.destination.kind(), binding.destination.name())
}

impl Routes for ModulusHash {
    fn add_binding(&mut self, binding: &Arc<Binding>) {
        let idx = self.0.partition_point(|other| order(other) < order(binding));
        self.0.insert(idx, Arc::clone(binding));
    }

    fn remove_binding(&mut self, binding: &Arc<Binding>) {
        self.0.retain(|other| !Arc::ptr_eq(other, binding));
    }

    fn route(&self, routed: &Routed<'_>, found: &mut Found<'_>) {
        let hash = (term_hash::of_list(routed.routing_keys) % HASH_RANGE) as usize;
        if let Some(idx) = hash.checked_rem(self.0.len())
            && let Some(binding) = self.0.get(idx)
        {
            found.add(&binding.destination);
        }
    }

    fn bindings(&self) -> Vec<Arc<Binding>> {
        self.0.clone()
    }
}
