//! Where messages went lately.

use std::sync::Arc;

use crate::work::Queues;

/// Routes remembered by a connection. A power of two.
const ROUTES: usize = 64;

/// A publish that was checked and routed.
pub(crate) struct Route {
    pub(crate) exchange: Arc<str>,
    routing_key: Box<[u8]>,
    pub(crate) queues: Queues,
    /// What publishes by it count for, if there are queues.
    pub(crate) lane: u32,
}

/// Routes of one connection, for one user, one vhost and one generation of the topology: they
/// remember that the exchange exists, that the user may publish there with that key, and the queues.
pub(crate) struct RouteCache {
    generation: u64,
    routes: Box<[Option<Route>; ROUTES]>,
    hasher: ahash::RandomState,
    /// Where the last hit was: most publishers repeat themselves.
    last: usize,
}

impl Default for RouteCache {
    fn default() -> Self {
        Self {
            generation: 0,
            routes: Box::new([const { None }; ROUTES]),
            hasher: ahash::RandomState::new(),
            last: 0,
        }
    }
}

impl RouteCache {
    /// The route of a publish, if it is known at this generation.
    #[inline]
    pub(crate) fn get(
        &mut self,
        generation: u64,
        exchange: &[u8],
        routing_key: &[u8],
    ) -> Option<&Route> {
        if self.generation != generation {
            self.forget(generation);
            return None;
        }
        let is_it = |route: &Option<Route>| {
            route.as_ref().is_some_and(|it| {
                *it.routing_key == *routing_key && it.exchange.as_bytes() == exchange
            })
        };
        if !is_it(&self.routes[self.last]) {
            self.last = self.place(exchange, routing_key);
            if !is_it(&self.routes[self.last]) {
                return None;
            }
        }
        self.routes[self.last].as_ref()
    }

    /// Remembers a route.
    pub(crate) fn insert(
        &mut self,
        generation: u64,
        exchange: &Arc<str>,
        routing_key: &[u8],
        queues: Queues,
        lane: u32,
    ) {
        if self.generation != generation {
            self.forget(generation);
        }
        let place = self.place(exchange.as_bytes(), routing_key);
        let (exchange, routing_key) = (exchange.clone(), routing_key.into());
        let route = Route { exchange, routing_key, queues, lane };
        self.routes[place] = Some(route);
    }

    fn place(&self, exchange: &[u8], routing_key: &[u8]) -> usize {
        self.hasher.hash_one((exchange, routing_key)) as usize % ROUTES
    }

    #[cold]
    fn forget(&mut self, generation: u64) {
        self.generation = generation;
        self.routes.fill_with(|| None);
    }
}
