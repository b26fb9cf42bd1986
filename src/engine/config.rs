//! What the engine is told of a stage: the site's limits, the job's choices, what the rows are like.

use super::batcher::BatchLimits;
use super::context::{Context, random};
use super::job::StageJob;
use super::limits::MaxErrors;
use super::message::{CallsOf, StageConfig};
use super::seen::Target;
use super::{single, verify};
use crate::api::contract::{self, BulkEndpoint, Contract, Name};
use crate::api::fold;
use crate::model::entity::Entity;
use crate::model::row::PreparedRow;

/// What the engine is told of a stage.
pub(super) fn stage_config(
    context: &Context,
    job: &StageJob,
    target: &Target,
    endpoint: BulkEndpoint,
    rows: Option<u64>,
    max_errors: Option<MaxErrors>,
) -> StageConfig {
    StageConfig {
        stage: target.stage,
        route: context.route,
        requests_per_second: context.requests_per_second,
        points_an_hour: context.client.points_an_hour(),
        expected_rows: rows.unwrap_or(0),
        calls: calls(context.client.contract(), target),
        single_in_flight: context.single_in_flight.get(),
        verify: context.verify,
        findable: verify::can_find(context.client.contract(), target).is_ok(),
        associates: associates(context.client.contract()),
        resend: true,
        batches: batch_limits(context, endpoint),
        nonce: context.nonce,
        key_lifetime: context.client.contract().key_lifetime,
        slots: context.slots,
        most_slots: context.client.contract().task_limit,
        polls_per_second: context.polls_per_second,
        max_errors,
        details: job.plan.detail_names().to_vec(),
        fold: fold_of(job.plan.entity()),
        random: Box::new(random),
    }
}

/// How many calls write a row by itself; none where [`single::limits`] says that they cannot.
fn calls(contract: &Contract, target: &Target) -> CallsOf {
    let single::Limits { sure, joins } = single::limits(contract, target);
    let (contract, target) = (contract.clone(), target.clone());
    let joining = format!("\"{}\":", contract.name(Name::AssociateOrganizations));
    Box::new(move |row| {
        let can = sure && (joins || !row.item.as_str().contains(&joining));
        can.then(|| f64::from(single::calls_of(&contract, &target, &row.item, None)))
    })
}

/// Whether a row's payload names organizations or products. A value that reads like their key is taken for it, which
/// costs a reading.
pub(super) fn associates(contract: &Contract) -> Box<dyn Fn(&PreparedRow) -> bool + Send> {
    let names = [Name::AssociateOrganizations, Name::AssociateProducts];
    let keys = names.map(|name| format!("\"{}\":", contract.name(name)));
    Box::new(move |row| {
        let item = row.item.as_str();
        keys.iter().any(|key| item.contains(key.as_str()))
    })
}

/// The caps of an endpoint's requests.
pub(super) fn batch_limits(context: &Context, endpoint: BulkEndpoint) -> BatchLimits {
    let list_key = endpoint.list.in_contract(context.client.contract());
    BatchLimits {
        list_key: list_key.to_owned().into(),
        items: endpoint.max_items,
        operations: endpoint.max_operations,
        bytes: contract::MAX_BODY_BYTES,
    }
}

/// How natural keys of an entity are compared.
pub(super) fn fold_of(entity: Entity) -> fn(&str) -> String {
    match entity {
        Entity::Customer => |text| fold::email(text).into_owned(),
        Entity::Organization | Entity::Product | Entity::DetailField | Entity::Entitlement => {
            |text| fold::name(text).into_owned()
        }
    }
}
