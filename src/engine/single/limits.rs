//! What single calls can do as well as a bulk request.

use crate::api::contract::Contract;
use crate::engine::seen::Target;
use crate::engine::verify;
use crate::model::entity::Operation;

/// What single calls can do for the rows of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// They write rows at all. A customer that may be on the site under an id that nobody can find is written by bulk requests
    /// alone.
    pub sure: bool,
    /// They make a record that may be there a member of an organization.
    pub joins: bool,
}

/// What single calls can do for the rows of a stage.
#[must_use]
pub fn limits(contract: &Contract, target: &Target) -> Limits {
    let creates = target.asked == Operation::Create.into();
    Limits {
        sure: creates || verify::can_find(contract, target).is_ok(),
        joins: creates || contract.membership,
    }
}
