//! ctl
#![forbid(unsafe_code)]
