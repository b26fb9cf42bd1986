//! Memberships and products alone: repairs a record whose associations did not arrive.

use super::call::{Caller, Row};
use super::end::End;
use super::find::{Finder, Looking};
use super::row::Asks;
use super::steps::{Step, not_joined, reason};
use crate::engine::context::Context;
use crate::engine::seen::{Called, Lacks, Target};
use crate::model::code::Code;
use crate::model::row::Reason;

/// Gives a record the products that it lacks by a call each, and puts a customer into organizations by the service desk
/// call, where the contract allows it; repeated while that may help. All by id. What one call is refused does not keep
/// the others from being made: the record is written already, and each part that arrives is one less to be told.
pub async fn join(context: &Context, target: &Target, record: &str, lacks: &Lacks) -> Called {
    let caller = Caller::new(context, target, Looking::new(context, target));
    let mut row = caller.row(Asks::default(), false);
    row.remote_id = Some(record.to_owned());
    let end = repair(&mut row, record, lacks).await;
    row.called(end)
}

async fn repair<F: Finder>(
    row: &mut Row<'_, '_, F>,
    record: &str,
    lacks: &Lacks,
) -> Result<(), End> {
    let (mut against, mut trace) = (Vec::new(), None);
    let mut steps = Vec::new();
    if !lacks.products.is_empty() {
        // it may have come since, or by a repair that was cut short: what is given twice is there twice
        match row.products(record).await {
            Ok(has) => {
                let has = has.unwrap_or_default();
                let missing = lacks.products.iter().filter(|id| !has.contains(id));
                steps.extend(missing.cloned().map(Step::Entitle));
            }
            Err(end) => {
                let (why, id) = refusal(end)?;
                against.push(not_given(row, &lacks.products, &why));
                trace = id;
            }
        }
    }
    if row.caller.context.client.contract().membership {
        steps.extend(lacks.organizations.iter().cloned().map(Step::Join));
    } else if !lacks.organizations.is_empty() {
        against.push(not_joined(&lacks.organizations));
    }
    for step in &steps {
        if let Err(end) = row.perform_all(std::slice::from_ref(step), record).await {
            let (why, id) = refusal(end)?;
            against.push(match step {
                Step::Entitle(product) => not_given(row, std::slice::from_ref(product), &why),
                _ => why,
            });
            trace = trace.or(id);
        }
    }
    if against.is_empty() {
        return Ok(());
    }
    let first = against.remove(0);
    let mut end = row.refused(first, trace);
    if let Called::Refused { reasons, .. } = end.0.as_mut() {
        reasons.splice(1..1, against);
    }
    Err(end)
}

/// Why a call was refused; any other end is the row's.
fn refusal(End(called): End) -> Result<(Reason, Option<String>), End> {
    match *called {
        Called::Refused {
            mut reasons,
            trace_id,
            ..
        } if !reasons.is_empty() => Ok((reasons.swap_remove(0), trace_id)),
        other => Err(End(Box::new(other))),
    }
}

fn not_given<F>(row: &Row<'_, '_, F>, products: &[String], why: &Reason) -> Reason {
    let kind = if products.len() == 1 {
        "product"
    } else {
        "products"
    };
    let message = format!(
        "the {} could not be given {kind} {}: {}",
        row.caller.target.entity,
        products.join(", "),
        why.message
    );
    reason(
        Code::AssociationMissing,
        Some("products".to_owned()),
        message,
    )
}
