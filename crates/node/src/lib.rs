//! A running node: opens the data directory, recovers, and turns the broker's effects into IO.
//!
//! Knows: threads, the log on disk, timers, alarms. Must not know: frames, JSON, command lines.
//! It alone starts threads; `net` alone starts tasks, one per connection.
#![forbid(unsafe_code)]

mod alarms;
pub mod check;
mod control;
mod core;
mod damage;
mod data_dir;
mod full_disk;
mod journal;
mod pager;
mod pages;
mod passwords;
mod progress;
mod quorum;
mod raft;
mod start;

pub use alarms::{
    DiskLimit, MemoryStrategy, MemoryUse, MemoryWatermark, ResourceLimits, Resources,
};
pub use core::{Core, CoreOptions};
pub use data_dir::DataDirError;
pub use raft::{RaftGroup, RaftGroups};
pub use start::{Node, NodeError, NodeOptions};
