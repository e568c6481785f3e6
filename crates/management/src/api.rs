//! The handlers, a file for each group of paths.

pub(crate) mod attempts;
pub(crate) mod bindings;
pub(crate) mod browse;
pub(crate) mod channels;
pub(crate) mod connections;
pub(crate) mod consumers;
pub(crate) mod definitions;
pub(crate) mod exchanges;
pub(crate) mod features;
pub(crate) mod health;
pub(crate) mod later;
pub(crate) mod limits;
pub(crate) mod messages;
pub(crate) mod nodes;
pub(crate) mod overview;
pub(crate) mod permissions;
pub(crate) mod policies;
pub(crate) mod queues;
pub(crate) mod session;
pub(crate) mod users;
pub(crate) mod vhosts;
