mod harness;
mod model;
mod transcripts;
