//! What can go wrong below the log.

use std::path::PathBuf;

use crate::GroupId;

/// An operating error of the log. Cloneable, because one failed sync is told to many waiters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The device refused a write, a sync or a read. After a failed write or sync the log takes no
    /// more writes: what the device holds is unknown until the next start.
    #[error("log i/o failed: {0}")]
    Io(String),
    /// The device has no room. Nothing was lost: the same write succeeds once there is some.
    #[error("no room on the disk: {0}")]
    Full(String),
    /// The log cannot be opened.
    #[error("cannot open the log in {dir}: {reason}")]
    Open {
        /// The log's directory.
        dir: String,
        /// What the engine said.
        reason: String,
    },
    /// A record that was once durable is not what was written.
    #[error("group {} entry {index} is damaged: {reason}", .group.0)]
    Corrupt {
        /// The log group.
        group: GroupId,
        /// The entry's index.
        index: u64,
        /// What is wrong with it.
        reason: String,
        /// The file and the offset in it, if that is known: not when the whole block is damaged.
        place: Option<(PathBuf, u64)>,
    },
    /// An append that would leave a hole or overwrite compacted entries: a bug of the caller.
    #[error("group {} cannot take entry {index}: it holds {first}..={last}", .group.0)]
    Gap {
        /// The log group.
        group: GroupId,
        /// The index that was offered.
        index: u64,
        /// The first index the group holds.
        first: u64,
        /// The last index the group holds.
        last: u64,
    },
}
