//! Whole runs of the built binary, and what holds for the tree as a whole.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod layering;
