//! topology
#![forbid(unsafe_code)]
