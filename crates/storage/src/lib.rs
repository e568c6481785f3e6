//! Records and groups on stable storage: the node's shared write-ahead log ([`Wal`]), the
//! numbered logs under it ([`Log`], made by [`EngineLog`] on disk and [`MemoryLog`] in tests), and
//! the pages for what is too much for a log ([`PageStore`]).
//!
//! Knows bytes, indexes, files and what a power cut may leave behind. Must not know queues,
//! messages, raft, protocols or tokio, and starts no thread of its own: the writer's body is
//! [`Wal::run`] and its caller owns the thread.
#![forbid(unsafe_code)]

mod checksum;
mod disk;
mod engine_log;
mod error;
mod log;
mod memory_log;
mod pages;
mod reserve;
mod wal;

pub use disk::{DirLock, Disk, DiskFile, Open, RealDisk, ShadowDisk, SimDisk};
pub use engine_log::{Damage, Damaged, EngineLog, EngineOptions, LogInspection, inspect};
pub use error::Error;
pub use log::{Batch, Flush, GroupId, Log, Op, Payload};
pub use memory_log::MemoryLog;
pub use pages::{BLOCK_BYTES, FREE_KEPT_MAX, PageDamage, PageRef, PageStore};
pub use reserve::Reserve;
pub use wal::{Durability, Lost, Lsn, Step, Waiter, Wal, WalOptions};
