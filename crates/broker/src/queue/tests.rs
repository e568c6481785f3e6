mod clearing;
mod harness;
mod model;
mod transcripts;
