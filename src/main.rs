//! The `csm-loader` binary.

fn main() {}
