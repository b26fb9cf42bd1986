//! The site, as the program sees it: one contract module and one typed client.
//!
//! Duty: build requests, send them, read and classify the answers. Guarantee: every path, key and limit of the
//! API stands in [`contract`] alone. Must not know: rows, batches, retries, the ledger.
//!
//! | module | duty |
//! | --- | --- |
//! | [`contract`], [`fold`] | names, limits and comparison rules of the API |
//! | [`client`] | the transport: one request, one answer |
//! | [`site`], [`auth`] | where requests go, and as whom |
//! | [`bulk`] | bulk requests and their tasks |
//! | [`accounts`], [`profiles`], [`customers`], [`organizations`], [`products`], [`single`], [`lookup`] | records |
//! | [`entitlements`], [`details`], [`definitions`] | what belongs to records |
//! | [`resources`] | the sites that a token may use |
//! | [`fallback`] | calls outside the CSM API |
//! | [`raw`], [`reach`] | any request and its whole answer; whether a server answers at all |
//! | [`read`] | reading answers |
//! | [`classify`], [`throttle`], [`words`] | what an answer means, how long it asks to wait, what it says |

pub mod accounts;
pub mod auth;
pub mod bulk;
pub mod classify;
pub mod client;
pub mod contract;
pub mod customers;
pub mod definitions;
pub mod details;
pub mod entitlements;
pub mod error;
pub mod fallback;
pub mod fold;
pub mod lookup;
pub mod organizations;
pub mod products;
pub mod profiles;
pub mod raw;
pub mod reach;
pub mod read;
pub mod resources;
pub mod single;
pub mod site;
pub mod throttle;
pub mod words;

#[cfg(test)]
mod scripted;
