//! Rows of chunks.
