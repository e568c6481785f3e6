//! storage
#![forbid(unsafe_code)]
