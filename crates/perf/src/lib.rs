//! perf
#![forbid(unsafe_code)]
