//! `x-modulus-hash`: the routing key chooses one of the bindings, always the same one.

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
        let hash = hash(routed.routing_keys);
        if let Some(idx) = hash.checked_rem(self.0.len() as u64)
            && let Some(binding) = self.0.get(usize::try_from(idx).unwrap_or_default())
        {
            found.add(&binding.destination);
        }
    }

    fn bindings(&self) -> Vec<Arc<Binding>> {
        self.0.clone()
    }
}

/// FNV-1a: part of the stored state's meaning, since it decides which queue a key leads to.
fn hash(keys: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for key in keys {
        for byte in *key {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        // Between two keys, so that ("ab", "c") and ("a", "bc") differ.
        hash = (hash ^ 0xff).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^ (hash >> 32)
}
