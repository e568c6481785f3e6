//! What a request asks for.

use std::collections::BTreeSet;

use topology::Pattern;

/// Bytes of the pattern of queues, as in RabbitMQ.
const QUEUE_PATTERN_LEN_MAX: usize = 2000;

/// What a path shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registry {
    /// Sums over all objects, unless the configuration wants each.
    Default,
    /// Each object.
    PerObject,
    /// Chosen families of chosen objects.
    Detailed,
    /// Memory.
    MemoryBreakdown,
}

impl Registry {
    pub(crate) const ALL: [Self; 4] =
        [Self::Default, Self::PerObject, Self::Detailed, Self::MemoryBreakdown];

    /// As in paths and in labels.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::PerObject => "per-object",
            Self::Detailed => "detailed",
            Self::MemoryBreakdown => "memory-breakdown",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A registry.
    Registry(Registry),
    /// None, at a place where one could be.
    UnknownRegistry,
    /// Nothing.
    Nowhere,
}

/// What is at `path`, below `root`, which is as configured.
pub(crate) fn place(path: &str, root: &str) -> Place {
    let Some(rest) = path.strip_prefix(root) else { return Place::Nowhere };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    match rest.strip_prefix('/') {
        None if rest.is_empty() => Place::Registry(Registry::Default),
        Some(name) if !name.is_empty() && !name.contains('/') => {
            Registry::from_name(name).map_or(Place::UnknownRegistry, Place::Registry)
        }
        _ => Place::Nowhere,
    }
}

/// Which objects of which families.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    pub(crate) families: BTreeSet<String>,
    /// None are all.
    pub(crate) vhosts: Option<BTreeSet<String>>,
    /// Names of queues.
    pub(crate) queue: Option<Pattern>,
}

impl Selection {
    /// Reads the query; what is wrong with it, in RabbitMQ's words: none for a query that is none.
    pub(crate) fn parse(query: &str) -> Result<Self, String> {
        if !query.split('&').all(is_pair) {
            return Err(String::new());
        }
        let mut chosen = Self::default();
        let mut pattern = None;
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "family" => drop(chosen.families.insert(value.into_owned())),
                "vhost" => {
                    chosen.vhosts.get_or_insert_default().insert(value.into_owned());
                }
                "queue" if pattern.is_some() => {
                    return Err("Only one 'queue' query parameter is allowed".to_owned());
                }
                "queue" => pattern = Some(value),
                _ => {}
            }
        }
        chosen.queue = pattern.filter(|it| !it.is_empty()).map(|it| compile(&it)).transpose()?;
        Ok(chosen)
    }

    pub(crate) fn has_vhost(&self, name: &str) -> bool {
        self.vhosts.as_ref().is_none_or(|it| it.contains(name))
    }

    pub(crate) fn has_queue(&self, name: &str) -> bool {
        self.queue.as_ref().is_none_or(|it| it.matches(name))
    }
}

/// Whether RabbitMQ can read this part of a query: it has a name, and what is escaped are octets.
fn is_pair(part: &str) -> bool {
    let is_escape = |(at, _)| {
        let digits = part.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    !part.starts_with('=') && part.match_indices('%').all(is_escape)
}

fn compile(pattern: &str) -> Result<Pattern, String> {
    if pattern.len() > QUEUE_PATTERN_LEN_MAX {
        return Err("'queue' regex too long".to_owned());
    }
    Pattern::search(pattern).map_err(|error| {
        let (position, reason) = (error.position, error.reason);
        format!("Invalid 'queue' regex at position {position}: {reason}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_registries() {
        for (path, expected) in [
            ("/metrics", Place::Registry(Registry::Default)),
            ("/metrics/", Place::Registry(Registry::Default)),
            ("/metrics/default", Place::Registry(Registry::Default)),
            ("/metrics/per-object/", Place::Registry(Registry::PerObject)),
            ("/metrics/detailed", Place::Registry(Registry::Detailed)),
            ("/metrics/memory-breakdown", Place::Registry(Registry::MemoryBreakdown)),
            ("/metrics/nope", Place::UnknownRegistry),
            ("/metrics/a/b", Place::Nowhere),
            ("/metrics//", Place::Nowhere),
            ("/metricsx", Place::Nowhere),
            ("/", Place::Nowhere),
        ] {
            assert_eq!(place(path, "/metrics"), expected, "{path}");
        }
    }

    #[test]
    fn queries_name_families_vhosts_and_queues() {
        let chosen = Selection::parse("family=a&vhost=%2F&family=b&queue=^c%5C.p&other=1");
        let chosen = chosen.expect("a good query");
        assert!(chosen.families.iter().eq(["a", "b"]));
        assert!(chosen.has_vhost("/") && !chosen.has_vhost("orders"));
        assert!(chosen.has_queue("c.plain") && !chosen.has_queue("cxp"));
        let none = Selection::parse("queue=").expect("a good query");
        assert!(none.has_vhost("orders") && none.has_queue("q"));
    }

    #[test]
    fn queries_that_are_none_are_refused_without_a_word() {
        for query in ["family=%ZZ", "%f=a", "family=a%", "=a", "a=b&=c"] {
            assert_eq!(Selection::parse(query).expect_err(query), "", "{query}");
        }
        assert!(Selection::parse("&&a=b=c&d").is_ok());
    }

    #[test]
    fn patterns_that_are_none_are_refused() {
        let long = format!("queue={}", "a".repeat(2001));
        for (query, said) in [
            ("queue=(", "Invalid 'queue' regex at position 1: missing closing parenthesis"),
            (
                "queue=%5B",
                "Invalid 'queue' regex at position 1: missing terminating ] for character class",
            ),
            ("queue=a&queue=b", "Only one 'queue' query parameter is allowed"),
            (&long, "'queue' regex too long"),
        ] {
            assert_eq!(Selection::parse(query).expect_err(query), said);
        }
    }
}
