mod backlog;
mod clearing;
mod consumers;
mod harness;
mod model;
mod paging;
mod quorum;
mod transcripts;
