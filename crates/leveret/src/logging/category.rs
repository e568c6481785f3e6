//! RabbitMQ's log categories, and which lines belong to them.

/// Where lines come from (the beginning of their target, a longer one before a shorter) and their
/// category. All others are general, and obey no `log.CATEGORY.*`.
const CATEGORIES: &[(&str, &str)] = &[
    ("amqp091::channel", "channel"),
    ("amqp091::queue", "queue"),
    ("amqp091::user", "user"),
    ("amqp091", "connection"),
    ("consensus", "ra"),
    ("node::quorum", "ra"),
    ("raft", "ra"),
    // The raft library's, by way of the `log` crate.
    ("log", "ra"),
];

/// The category of lines with this target, if it has one.
pub(super) fn of(target: &str) -> Option<&'static str> {
    let fits = |prefix: &str| match target.strip_prefix(prefix) {
        Some(rest) => rest.is_empty() || rest.starts_with("::") || prefix == "raft",
        None => false,
    };
    CATEGORIES.iter().find(|(prefix, _)| fits(prefix)).map(|(_, category)| *category)
}

/// The domain that JSON lines name.
pub(super) fn domain(category: Option<&str>) -> String {
    match category {
        None => "rabbitmq".to_owned(),
        Some("ra") => "ra".to_owned(),
        Some(category) => format!("rabbitmq.{category}"),
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn lines_belong_to_what_they_tell_of() {
        assert_eq!(of("amqp091::log"), Some("connection"));
        assert_eq!(of("amqp091::channel"), Some("channel"));
        assert_eq!(of("raft::raft"), Some("ra"));
        assert_eq!(of("raft_log"), Some("ra"));
        assert_eq!(of("log"), Some("ra"));
        assert_eq!(of("leveret::logging"), None);
        assert_eq!(of("node::alarms"), None);
    }
}
