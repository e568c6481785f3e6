//! Numbers that name things across the whole broker.

use minicbor::{Decode, Encode};

/// A queue, for the whole life of the cluster: the index of the log entry that declared it. A queue
/// deleted and declared again under its old name has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct QueueId(#[n(0)] pub u64);

/// A client's connection, as the owner of exclusive queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct ConnectionId(#[n(0)] pub u64);
