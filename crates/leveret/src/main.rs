//! leveret
fn main() {}
