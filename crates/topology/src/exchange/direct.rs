//! `direct`: binding key and routing key are equal.

use std::collections::HashMap;
use std::sync::Arc;

use super::lists::{BindingLists, ListId};
use super::{DependsOn, ExchangeType, Found, Routed, Routes, any_binding};
use crate::Binding;

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "direct",
    description: "AMQP direct exchange, as per the AMQP specification",
    depends_on: DependsOn::Keys,
    validate_binding: any_binding,
    routes: || Box::<Direct>::default(),
};

/// One list per hash of a key. Keys are compared when a list is read, so that two keys of one hash
/// only cost time.
#[derive(Debug, Default)]
struct Direct {
    by_hash: HashMap<u64, ListId, ahash::RandomState>,
    lists: BindingLists,
}

impl Direct {
    fn hash(&self, key: &[u8]) -> u64 {
        self.by_hash.hasher().hash_one(key)
    }
}

impl Routes for Direct {
    fn add_binding(&mut self, binding: &Arc<Binding>) {
        let hash = self.hash(binding.key.as_bytes());
        match self.by_hash.get(&hash) {
            Some(list) => self.lists.push(*list, Arc::clone(binding)),
            None => {
                let list = self.lists.start(Arc::clone(binding));
                self.by_hash.insert(hash, list);
            }
        }
    }

    fn remove_binding(&mut self, binding: &Arc<Binding>) {
        let hash = self.hash(binding.key.as_bytes());
        let Some(list) = self.by_hash.get(&hash) else { return };
        match self.lists.remove(*list, binding) {
            Some(list) => self.by_hash.insert(hash, list),
            None => self.by_hash.remove(&hash),
        };
    }

    fn route(&self, routed: &Routed<'_>, found: &mut Found<'_>) {
        for key in routed.routing_keys {
            let Some(list) = self.by_hash.get(&self.hash(key)) else { continue };
            for binding in self.lists.iter(*list) {
                if binding.key.as_bytes() == *key {
                    found.add(&binding.destination);
                }
            }
        }
    }

    fn bindings(&self) -> Vec<Arc<Binding>> {
        self.lists.all()
    }
}
