//! `csm-loader`: loads customers, organizations, products and entitlements from CSV, Parquet or Arrow files into
//! Atlassian Customer Service Management, and answers for every row it read.
//!
//! Data flows one way:
//!
//! ```text
//! source ──RowChunk──▶ mapping ──Prepared+Rejected──▶ dedupe ──▶ engine::batcher ──Batch──▶ engine::driver ⇄ api
//!                                                                                            │
//!                                                              ledger ◀── intent, task, outcome
//!                                                                 └──▶ report: results file, summary, progress
//! ```
//!
//! | module | duty |
//! | --- | --- |
//! | [`model`] | what flows between the stages |
//! | [`source`] | files → chunks of rows with their lines, in bounded memory |
//! | [`mapping`] | mapping file → plan; chunk → payloads or reasons |
//! | [`dedupe`] | one pass over (key hash, row), spilled: which row of a key is sent |
//! | [`api`] | one typed client over one contract module |
//! | [`ledger`] | what is durable: runs, batches, outcomes |
//! | [`engine`] | decides in plain functions, acts in one driver |
//! | [`report`] | results file, progress, log, summary |
//! | [`probe`] | what a site does where the API's documentation is silent |
//! | [`retry`] | which rows of a results file are loaded again, and where they are read from |
//! | [`sandbox`] | the local CSM site |
//! | [`cli`] | arguments, settings, commands, exit codes |

pub mod api;
pub mod cli;
pub mod dedupe;
pub mod engine;
pub mod ledger;
pub mod mapping;
pub mod model;
pub mod probe;
pub mod report;
pub mod retry;
pub mod sandbox;
pub mod source;
