//! What a node that is a cluster of its own answers about its peers.

use super::{Command, MONITORING, Run, Tool, UPGRADE};
use crate::protocol::Output;

const DIAGNOSTICS_AND_QUEUES: &[Tool] = &[Tool::Diagnostics, Tool::Queues];

/// How long to wait for peers when nobody says.
const AWAIT_TIMEOUT_MS: u64 = 120_000;

pub(super) const CHECK_IF_QUORUM_CRITICAL: Command = Command {
    name: "check_if_node_is_quorum_critical",
    tools: DIAGNOSTICS_AND_QUEUES,
    section: MONITORING,
    usage: "[--timeout <timeout>]",
    about: "Exits with an error if queues would lose their quorum with this node",
    banner: |_, node| {
        vec![format!("Checking if node {node} is critical for quorum of any queues/streams ...")]
    },
    run: Run::OnNode(|operator, _, _| {
        Ok(Output::Text(format!(
            "Node {} seems to be the only one in a single node cluster, the check does not apply",
            operator.node_name()
        )))
    }),
    ..Command::BASE
};

pub(super) const CHECK_IF_NEW_REPLICAS_ARE_IN_SYNC: Command = Command {
    name: "check_if_new_quorum_queue_replicas_have_finished_initial_sync",
    tools: DIAGNOSTICS_AND_QUEUES,
    section: MONITORING,
    usage: "[--timeout <timeout>]",
    about: "Exits with an error while new replicas of queues are filled",
    banner: |_, node| {
        vec![format!("Checking if node {node} runs promotable replicas of any queues ...")]
    },
    run: Run::OnNode(|operator, _, _| {
        let node = operator.node_name();
        Ok(Output::Text(format!("Node {node} reported no queues with promotable replicas")))
    }),
    ..Command::BASE
};

pub(super) const AWAIT_ONLINE_QUORUM_PLUS_ONE: Command = Command {
    name: "await_online_quorum_plus_one",
    tools: &[Tool::Upgrade],
    section: UPGRADE,
    about: "Waits until every queue can do without one more node",
    timeout_ms: Some(AWAIT_TIMEOUT_MS),
    banner: |request, _| {
        let seconds = request.timeout_ms.unwrap_or(AWAIT_TIMEOUT_MS) / 1000;
        vec![format!(
            "Will wait for a quorum + 1 of nodes to be online for all quorum queues and streams \
             for {seconds} seconds..."
        )]
    },
    run: Run::OnNode(|_, _, _| {
        Ok(Output::Text(
            "Target node seems to be the only one in a single node cluster, the command does not \
             apply"
                .to_owned(),
        ))
    }),
    ..Command::BASE
};

pub(super) const POST_UPGRADE: Command = Command {
    name: "post_upgrade",
    tools: &[Tool::Upgrade],
    section: UPGRADE,
    about: "Spreads the leaders of queues; alone there is nothing to spread",
    banner: |_, _| {
        vec![
            "Executing post upgrade tasks...".to_owned(),
            "Rebalancing queue masters...".to_owned(),
        ]
    },
    run: Run::OnNode(|_, _, _| Ok(Output::Text(String::new()))),
    ..Command::BASE
};
