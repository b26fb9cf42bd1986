//! Whole runs of the built binary, and what holds for the tree as a whole.

mod layering;
