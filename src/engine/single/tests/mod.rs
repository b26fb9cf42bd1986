//! Whole calls against a served site, and its audit beside what was told.

mod chance;
mod existing;
mod join;
mod line;
mod lost;
mod new;
mod world;
