//! One raft group on one node.

use protobuf::Message as _;
use raft::eraftpb::{ConfChange, ConfChangeV2, Entry, EntryType, Message, Snapshot};
use raft::{Config, RawNode, Ready, StateRole, Storage as _};
use storage::{Flush, GroupId, Log};

use crate::Error;
use crate::store::Store;

#[cfg(test)]
mod tests;

/// Ticks without word from the leader before an election, at the least.
const ELECTION_TICKS: usize = 10;
/// Ticks between a leader's heartbeats.
const HEARTBEAT_TICKS: usize = 2;
/// Bytes of entries in one message to a follower.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;
/// Messages in flight to one follower.
const MESSAGES_IN_FLIGHT_MAX: usize = 64;
/// Bytes of committed entries handed out in one step of [`Group::poll`].
const COMMITTED_BYTES_MAX: u64 = 4 << 20;

/// A node of the cluster. Not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u64);

/// What the group has agreed on, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed<'a> {
    /// An entry that some member proposed.
    Entry {
        /// Its place in the log. Indexes grow; some are taken by the group itself.
        index: u64,
        /// What its proposer passed along.
        context: &'a [u8],
        /// What its proposer passed.
        data: &'a [u8],
    },
    /// The whole state up to `index`, from a leader whose log no longer reaches back to ours:
    /// replaces everything applied so far.
    Snapshot {
        /// The last entry it covers.
        index: u64,
        /// What [`Group::save_snapshot`] was given on the leader.
        data: &'a [u8],
    },
}

/// A raft group: propose, tick and step, then poll.
///
/// Deterministic: the only chance in raft, the election timeout, is fixed by the node's id.
/// After an error of [`Group::poll`] or [`Group::save_snapshot`] the group must be dropped, unless
/// it is for want of room ([`Error::is_full`]).
pub struct Group<L: Log> {
    node: RawNode<Store<L>>,
    id: NodeId,
    applied: u64,
    /// What found no room. Until it is written raft must not learn of anything new.
    unwritten: Option<Unwritten>,
    /// To be sent.
    messages: Vec<Message>,
}

/// What is to be written before anything of it is told.
struct Unwritten {
    ready: Ready,
    entries: Vec<Entry>,
    committed: Vec<Entry>,
    is_installed: bool,
}

impl<L: Log> Group<L> {
    /// Opens `group` in `log` as this `node` left it; an empty log begins a group of one voter.
    /// A single voter leads at once. Entries after the snapshot come out of the first polls.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the log holds something else than this group.
    pub fn open(log: L, group: GroupId, node: NodeId) -> Result<Self, Error> {
        let store = Store::open(log, group, &[node.0])?;
        let applied = store.snapshot_metadata().index;
        let timeout = ELECTION_TICKS + usize::try_from(node.0 % 10).unwrap_or(0);
        let config = Config {
            id: node.0,
            applied,
            election_tick: ELECTION_TICKS,
            min_election_tick: timeout,
            max_election_tick: timeout + 1,
            heartbeat_tick: HEARTBEAT_TICKS,
            max_size_per_msg: MESSAGE_BYTES_MAX,
            max_inflight_msgs: MESSAGES_IN_FLIGHT_MAX,
            max_committed_size_per_ready: COMMITTED_BYTES_MAX,
            check_quorum: true,
            pre_vote: true,
            ..Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let node_id = node;
        let node = RawNode::new(&config, store, &logger)?;
        let (unwritten, messages) = (None, Vec::new());
        let mut group = Self { node, id: node_id, applied, unwritten, messages };
        group.lead_if_alone()?;
        group.node.store().check()?;
        Ok(group)
    }

    /// Proposes an entry. It comes out of a later [`Group::poll`], here and on the other members,
    /// unless leadership is lost first. Empty `data` never comes out.
    ///
    /// # Errors
    /// [`Error::NotLeader`]. [`Error::Waiting`] while [`Group::waits_for_room`].
    pub fn propose(&mut self, context: Vec<u8>, data: Vec<u8>) -> Result<(), Error> {
        self.check()?;
        Ok(self.node.propose(context, data)?)
    }

    /// Lets one unit of time pass. It stands still while [`Group::waits_for_room`].
    pub fn tick(&mut self) {
        if self.unwritten.is_none() {
            self.node.tick();
        }
    }

    /// Takes a message of another member. Messages of one peer must arrive in order.
    ///
    /// # Errors
    /// [`Error::Raft`] for a message that makes no sense here, [`Error::Waiting`] while
    /// [`Group::waits_for_room`]; it has no effect.
    pub fn step(&mut self, message: Message) -> Result<(), Error> {
        self.check()?;
        Ok(self.node.step(message)?)
    }

    /// Whether [`Group::poll`] has anything to do.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        self.unwritten.is_some() || self.node.has_ready()
    }

    /// Whether a [`Group::poll`] found no room: nothing new is taken before one finds some.
    #[must_use]
    pub fn waits_for_room(&self) -> bool {
        self.unwritten.is_some()
    }

    fn check(&self) -> Result<(), Error> {
        if self.waits_for_room() { Err(Error::Waiting) } else { Ok(()) }
    }

    /// Makes progress: persists what is new in one synced write, then hands what is committed to
    /// `apply`, and returns the messages to send (none in a group of one).
    ///
    /// # Errors
    /// [`Error::Log`]: nothing that was not handed out may be assumed to be stable. When it is for
    /// want of room, the next call goes on from there.
    pub fn poll(&mut self, apply: &mut dyn FnMut(Committed<'_>)) -> Result<Vec<Message>, Error> {
        while self.has_ready() {
            let mut next = match self.unwritten.take() {
                Some(unwritten) => unwritten,
                None => self.take_ready()?,
            };
            if let Err(error) = self.write(&mut next, apply) {
                self.unwritten = Some(next);
                return Err(error);
            }
            let Unwritten { mut ready, committed, .. } = next;
            self.messages.append(&mut ready.take_persisted_messages());
            self.apply(committed, apply)?;
            let mut light = self.node.advance_append(ready);
            self.node.store().check()?;
            self.messages.append(&mut light.take_messages());
            if let Some(commit) = light.commit_index() {
                self.node.mut_store().set_commit(commit);
            }
            self.apply(light.take_committed_entries(), apply)?;
            self.node.advance_apply_to(self.applied);
            self.lead_if_alone()?;
        }
        Ok(std::mem::take(&mut self.messages))
    }

    fn take_ready(&mut self) -> Result<Unwritten, Error> {
        let mut ready = self.node.ready();
        self.node.store().check()?;
        self.messages.append(&mut ready.take_messages());
        let (entries, committed) = (ready.take_entries(), ready.take_committed_entries());
        Ok(Unwritten { ready, entries, committed, is_installed: false })
    }

    fn write(
        &mut self,
        Unwritten { ready, entries, is_installed, .. }: &mut Unwritten,
        apply: &mut dyn FnMut(Committed<'_>),
    ) -> Result<(), Error> {
        if !ready.snapshot().is_empty() && !*is_installed {
            self.install(ready.snapshot(), apply)?;
            *is_installed = true;
        }
        let flush = if ready.must_sync() { Flush::Sync } else { Flush::Write };
        self.node.mut_store().persist(ready.hs(), entries, flush)
    }

    /// Whether this node may propose.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.node.raft.state == StateRole::Leader
    }

    /// The leader as far as this node knows.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        Some(NodeId(self.node.raft.leader_id)).filter(|leader| leader.0 != 0)
    }

    /// The current term.
    #[must_use]
    pub fn term(&self) -> u64 {
        self.node.raft.term
    }

    /// Index of the last entry handed out, or covered by the snapshot at the start.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Stores the caller's whole state after `index`, which it must have been handed, and drops
    /// the entries up to there.
    ///
    /// # Errors
    /// [`Error::Log`]; [`Error::Raft`] for an index that was not applied yet. Without room all stays
    /// as it was.
    pub fn save_snapshot(&mut self, index: u64, data: &[u8]) -> Result<(), Error> {
        if index > self.applied {
            return Err(Error::Raft(format!("entry {index} is not applied yet")));
        }
        if index <= self.node.store().snapshot_metadata().index {
            return Ok(());
        }
        let mut metadata = raft::eraftpb::SnapshotMetadata {
            index,
            term: self.node.store().term(index)?,
            ..Default::default()
        };
        metadata.set_conf_state(self.node.store().conf_state().clone());
        self.node.mut_store().save_snapshot(metadata, data)
    }

    /// Entries behind the snapshot, among those handed out, that are lost to damage: what they said
    /// is not known. Only a lone voter goes on without them. A snapshot forgets them.
    #[must_use]
    pub fn lost(&self) -> Vec<u64> {
        self.node.store().lost()
    }

    /// The stored snapshot and the index of the last entry it covers: where recovery begins.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Log`] when it cannot be read.
    pub fn snapshot(&self) -> Result<Option<(u64, Vec<u8>)>, Error> {
        let index = self.node.store().snapshot_metadata().index;
        if index == 0 {
            return Ok(None);
        }
        Ok(Some((index, self.node.store().snapshot_data()?)))
    }

    /// A group of one need not wait for its election timeout.
    fn lead_if_alone(&mut self) -> Result<(), Error> {
        let voters = &self.node.store().conf_state().voters;
        if self.node.raft.state == StateRole::Follower && *voters == [self.id.0] {
            self.node.campaign()?;
        }
        Ok(())
    }

    fn install(
        &mut self,
        snapshot: &Snapshot,
        apply: &mut dyn FnMut(Committed<'_>),
    ) -> Result<(), Error> {
        let metadata = snapshot.get_metadata().clone();
        let index = metadata.index;
        self.node.mut_store().save_snapshot(metadata, &snapshot.data)?;
        apply(Committed::Snapshot { index, data: &snapshot.data });
        self.applied = index;
        Ok(())
    }

    fn apply(
        &mut self,
        entries: Vec<Entry>,
        apply: &mut dyn FnMut(Committed<'_>),
    ) -> Result<(), Error> {
        for entry in entries {
            self.applied = entry.index;
            match entry.get_entry_type() {
                // A new leader's first entry is empty.
                EntryType::EntryNormal if entry.data.is_empty() => {}
                EntryType::EntryNormal => apply(Committed::Entry {
                    index: entry.index,
                    context: &entry.context,
                    data: &entry.data,
                }),
                EntryType::EntryConfChange => {
                    let change = ConfChange::parse_from_bytes(&entry.data);
                    let change = change.map_err(|error| Error::Damaged(error.to_string()))?;
                    let members = self.node.apply_conf_change(&change)?;
                    self.node.mut_store().set_conf_state(members);
                }
                EntryType::EntryConfChangeV2 => {
                    let change = ConfChangeV2::parse_from_bytes(&entry.data);
                    let change = change.map_err(|error| Error::Damaged(error.to_string()))?;
                    let members = self.node.apply_conf_change(&change)?;
                    self.node.mut_store().set_conf_state(members);
                }
            }
        }
        Ok(())
    }
}
