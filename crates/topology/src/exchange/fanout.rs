//! `fanout`: everything goes everywhere.

use std::sync::Arc;

use super::{DependsOn, ExchangeType, Found, Routed, Routes, any_binding, swap_remove};
use crate::Binding;

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "fanout",
    description: "AMQP fanout exchange, as per the AMQP specification",
    depends_on: DependsOn::Keys,
    validate_binding: any_binding,
    routes: || Box::<Fanout>::default(),
};

#[derive(Debug, Default)]
struct Fanout(Vec<Arc<Binding>>);

impl Routes for Fanout {
    fn add_binding(&mut self, binding: &Arc<Binding>) {
        self.0.push(Arc::clone(binding));
    }

    fn remove_binding(&mut self, binding: &Arc<Binding>) {
        swap_remove(&mut self.0, binding);
    }

    fn route(&self, _: &Routed<'_>, found: &mut Found<'_>) {
        for binding in &self.0 {
            found.add(&binding.destination);
        }
    }

    fn bindings(&self) -> Vec<Arc<Binding>> {
        self.0.clone()
    }
}
