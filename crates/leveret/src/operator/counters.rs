//! What was counted, answered by the running node.

use std::net::IpAddr;
use std::sync::Arc;

use operator::{Counters, Emit, QueueSummary};
use statistics::{
    AuthAttempts, Churn, Clients, DeadLetterCount, GlobalCounts, Known, MessageCounts, Other,
    Pairs, Ranges, Report, Subject,
};

use super::{NodeOperator, listings};

impl NodeOperator {
    fn shows_rates(&self) -> bool {
        self.collector.settings().rates_mode != config::RatesMode::None
    }
}

impl Counters for NodeOperator {
    fn refresh(&self) {
        self.collector.refresh();
    }

    fn report(&self, of: Subject<'_>, ranges: &Ranges) -> Report {
        let report = self.collector.statistics().report(of, ranges);
        match self.shows_rates() {
            true => report,
            false => Report { messages: Vec::new(), ..report },
        }
    }

    fn pairs(&self, of: Subject<'_>, ranges: &Ranges) -> Pairs {
        self.collector.statistics().pairs(of, ranges)
    }

    fn known(&self) -> Vec<Known> {
        self.collector.statistics().known()
    }

    fn counts(&self, of: Subject<'_>) -> MessageCounts {
        self.collector.statistics().counts(of)
    }

    fn channel_pairs(&self, id: u64) -> Vec<(Other, MessageCounts)> {
        self.collector.statistics().channel_pairs(id)
    }

    fn route_counts(&self, vhost: &str) -> Vec<(Arc<str>, Arc<str>, u64)> {
        self.collector.statistics().route_counts(vhost)
    }

    fn global_counts(&self) -> Vec<GlobalCounts> {
        self.collector.statistics().global_counts()
    }

    fn churn(&self) -> Churn {
        self.broker.churn()
    }

    fn clients(&self) -> Clients {
        self.broker.registry.clients()
    }

    fn dead_letters(&self) -> Vec<DeadLetterCount> {
        self.broker.dead_letter_counts()
    }

    fn auth_attempts(&self) -> Vec<AuthAttempts> {
        self.broker.auth_attempts()
    }

    fn auth_attempts_by_source(&self) -> Vec<AuthAttempts> {
        self.broker.auth_attempts_by_source()
    }

    fn forget_auth_attempts(&self) {
        self.broker.forget_auth_attempts();
    }

    fn note_http_login(&self, address: IpAddr, user: &str, is_success: bool) {
        self.broker.note_auth_attempt("http", address, user, is_success);
    }

    fn forget_samples(&self) {
        self.collector.statistics().forget_samples();
    }

    fn summarize_queues(&self, vhost: &str, emit: Emit<'_, QueueSummary>) {
        listings::summaries(&self.broker, vhost, emit);
    }
}
