//! From an exchange and routing keys to queues.

use std::sync::Arc;

use field_table::FieldTable;
use smallvec::SmallVec;

use super::{ByName, Exchange, Vhost};
use crate::exchange::{ALTERNATE_EXCHANGE, DependsOn, Found, Routed};
use crate::{Destination, ExchangeRecord, QueueId, Refusal};

impl Vhost {
    /// Replaces what is in `out` by the queues that a message published to `exchange` goes to, each
    /// once, in the order of their numbers.
    ///
    /// `routing_keys` are the message's own and those of its CC and BCC headers. `headers` is called
    /// at most once, and only if an exchange on the way looks at headers. `chance` is any number, for
    /// exchanges that choose by chance. Fails with 404 when the exchange does not exist. Whether
    /// clients may publish to it is not asked here.
    pub fn route(
        &self,
        exchange: &str,
        routing_keys: &[&[u8]],
        headers: &dyn Fn() -> FieldTable,
        chance: u64,
        out: &mut SmallVec<[QueueId; 4]>,
    ) -> Result<(), Refusal> {
        out.clear();
        if exchange.is_empty() {
            for key in routing_keys {
                out.extend(self.queues.get(*key).map(|ByName(queue)| queue.id));
            }
        } else {
            let Some(exchange) = self.exchanges.get(exchange) else {
                return Err(Refusal::no_exchange(&self.name, exchange));
            };
            self.route_from(exchange, &Routed::new(routing_keys, headers, chance), out);
        }
        if 1 < out.len() {
            out.sort_unstable();
            out.dedup();
        }
        Ok(())
    }

    /// Visits every exchange that is reached once.
    fn route_from(&self, first: &Exchange, routed: &Routed<'_>, out: &mut SmallVec<[QueueId; 4]>) {
        let mut found = Found { queues: out, exchanges: SmallVec::new() };
        self.visit(first, routed, &mut found);
        let mut seen: SmallVec<[Arc<ExchangeRecord>; 4]> = SmallVec::new();
        if !found.exchanges.is_empty() {
            seen.push(Arc::clone(&first.record));
        }
        while let Some(record) = found.exchanges.pop() {
            if seen.iter().any(|other| Arc::ptr_eq(other, &record)) {
                continue;
            }
            if let Some(exchange) = self.exchanges.get(&record.name) {
                self.visit(exchange, routed, &mut found);
            }
            seen.push(record);
        }
    }

    /// Finds the destinations of one exchange: its alternate exchange if there is no other.
    fn visit(&self, exchange: &Exchange, routed: &Routed<'_>, found: &mut Found<'_>) {
        let found_before = found.len();
        exchange.routes.route(routed, found);
        if found.len() == found_before
            && let Some(alternate) = self.alternate(exchange)
        {
            found.exchanges.push(Arc::clone(&alternate.record));
        }
    }

    /// The argument wins over policies, as in RabbitMQ.
    fn alternate(&self, exchange: &Exchange) -> Option<&Exchange> {
        let record = &exchange.record;
        match &record.alternate {
            Some(name) => self.exchanges.get(name),
            None => {
                let name = self.policies_of_exchange(record).get(ALTERNATE_EXCHANGE)?;
                self.exchanges.get(name.as_str()?)
            }
        }
    }

    /// Whether the queues of a message published to `exchange` depend on more than the exchange and
    /// the routing keys: on its headers, or on chance. If not, they may be remembered until the
    /// [`generation`](Self::generation) changes.
    pub fn route_depends_on_headers(&self, exchange: &str) -> bool {
        if exchange.is_empty() {
            return false;
        }
        let mut seen: SmallVec<[&str; 4]> = SmallVec::new();
        let mut rest: SmallVec<[&Exchange; 4]> = self.exchanges.get(exchange).into_iter().collect();
        while let Some(exchange) = rest.pop() {
            if exchange.record.kind.depends_on == DependsOn::More {
                return true;
            }
            if seen.contains(&&*exchange.record.name) {
                continue;
            }
            seen.push(&exchange.record.name);
            rest.extend(self.alternate(exchange));
            if exchange.exchange_count != 0 {
                for binding in exchange.routes.bindings() {
                    if let Destination::Exchange(next) = &binding.destination {
                        rest.extend(self.exchanges.get(&next.name));
                    }
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests;
