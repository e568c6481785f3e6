//! field-table
#![forbid(unsafe_code)]
