//! Memberships alone: repairs a customer whose organizations did not arrive.

use super::call::Caller;
use super::find::Looking;
use super::row::Asks;
use super::steps::{Step, not_joined};
use crate::engine::context::Context;
use crate::engine::seen::{Called, Target};

/// Puts a customer into organizations by the service desk call, where the contract allows it; repeated while that may
/// help. All by id.
pub async fn join(
    context: &Context,
    target: &Target,
    customer: &str,
    organizations: &[String],
) -> Called {
    let caller = Caller::new(context, target, Looking::new(context, target));
    let mut row = caller.row(Asks::default(), false);
    row.remote_id = Some(customer.to_owned());
    if !context.client.contract().membership && !organizations.is_empty() {
        let end = row.refused(not_joined(organizations), None);
        return row.called(Err(end));
    }
    let steps: Vec<_> = organizations.iter().cloned().map(Step::Join).collect();
    let end = row.perform_all(&steps, customer).await;
    row.called(end)
}
