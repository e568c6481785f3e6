//! What can go wrong in a group.

/// An operating error of a group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The log below failed or is damaged. The group must not be used further, unless
    /// [`Error::is_full`].
    #[error(transparent)]
    Log(#[from] storage::Error),
    /// What the log holds is not a raft log that this node could have written.
    #[error("the stored state of the group is damaged: {0}")]
    Damaged(String),
    /// This node is not the leader, or a leader that is being replaced: propose elsewhere.
    #[error("not the leader")]
    NotLeader,
    /// There is no room on the disk for what was proposed before: propose again once there is.
    #[error("what was proposed before waits for room on the disk")]
    Waiting,
    /// The raft core refused a message or a step.
    #[error("raft: {0}")]
    Raft(String),
}

impl Error {
    /// Whether there is no room on the disk: the same succeeds once there is some.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Log(storage::Error::Full(_)))
    }
}

impl From<raft::Error> for Error {
    fn from(error: raft::Error) -> Self {
        match error {
            raft::Error::ProposalDropped => Self::NotLeader,
            error => Self::Raft(error.to_string()),
        }
    }
}
