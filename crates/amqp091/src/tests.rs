//! Transcripts: what a client sends, what it is told. The broker is real, the journal is in memory.

mod basics;
mod chaos;
mod counting;
mod errors;
mod firehose;
mod kit;
mod limits;
mod pacing;
