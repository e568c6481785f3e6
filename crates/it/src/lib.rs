//! it
#![forbid(unsafe_code)]
