mod backlog;
mod clearing;
mod consumers;
mod harness;
mod model;
mod transcripts;
