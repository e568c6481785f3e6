//! Exit codes, which are those of sysexits.h.

/// Success.
pub(crate) const OK: u8 = 0;
/// RabbitMQ's code for a formatter it does not know.
pub(crate) const UNKNOWN_FORMATTER: u8 = 1;
/// Wrong use: unknown command, option or column; too few or many arguments.
pub(crate) const USAGE: u8 = 64;
/// A bad value, a missing vhost or queue, a failed login.
pub(crate) const DATAERR: u8 = 65;
/// No such user.
pub(crate) const NOUSER: u8 = 67;
/// The node is down, a check failed, or the broker refused.
pub(crate) const UNAVAILABLE: u8 = 69;
/// Already exists, or a wait that was in vain.
pub(crate) const SOFTWARE: u8 = 70;
/// Out of time.
pub(crate) const TEMPFAIL: u8 = 75;
