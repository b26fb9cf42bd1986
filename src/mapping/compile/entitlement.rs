//! Entitlements: fields that name records to be looked up, and what a mapping of them needs.

use super::Compiler;
use crate::mapping::diagnostic::Fault;
use crate::mapping::file::WrittenValue;
use crate::mapping::plan::ReferencePlan;
use crate::mapping::references::{OnMissing, RefKind};
use crate::mapping::value::ValuePlan;
use crate::model::entity::Entity;

/// The fields that say who has the product, in the order in which messages name them.
const OWNERS: [&str; 4] = ["customer", "customer_id", "organization", "organization_id"];
/// The fields that say which product.
const PRODUCTS: [&str; 2] = ["product", "product_id"];

/// The kind of record that a field of `[fields]` names, where it is looked up by its name.
pub(super) fn named(entity: Entity, field: &str) -> Option<RefKind> {
    match (entity, field) {
        (Entity::Entitlement, "organization") => Some(RefKind::Organization),
        (Entity::Entitlement, "product") => Some(RefKind::Product),
        _ => None,
    }
}

impl Compiler<'_> {
    /// Refuses a mapping that does not say who has what.
    pub(super) fn require_owner_and_product(&mut self) {
        let (owner, product) = (self.any(&OWNERS), self.any(&PRODUCTS));
        let missing = [
            (
                owner,
                "an entitlement needs \"customer\", \"customer_id\", \"organization\" or \"organization_id\" in [fields]",
                "add customer = \"…\", the column with the e-mail of whoever has the product, or another of them",
            ),
            (
                product,
                "an entitlement needs \"product\" or \"product_id\" in [fields]",
                "add product = \"…\", the column with the product's name",
            ),
        ];
        for (_, message, help) in missing.into_iter().filter(|(there, ..)| !there) {
            let span = self.file.written.entity_span.clone();
            self.fault(Fault::new(span, message).help(help));
        }
    }

    fn any(&self, names: &[&str]) -> bool {
        self.written(names).next().is_some()
    }

    fn written(&self, names: &[&str]) -> impl Iterator<Item = &WrittenValue> {
        let fields = self.file.written.fields.iter();
        fields.filter(move |field| names.contains(&field.name.get_ref().as_str()))
    }

    /// `on_missing` of a value: only a product that is looked up by its name may be created on the way.
    pub(super) fn on_missing_fits(&mut self, written: &WrittenValue, named: Option<RefKind>) {
        let Some(on_missing) = &written.on_missing else {
            return;
        };
        let refused = match (named, on_missing.get_ref()) {
            (Some(RefKind::Product), OnMissing::Create) | (Some(_), OnMissing::Reject) => return,
            (Some(RefKind::Product), OnMissing::Skip) => (
                "without its product nothing is left of an entitlement",
                "use \"reject\" or \"create\"",
            ),
            (Some(RefKind::Organization), OnMissing::Skip | OnMissing::Create) => (
                "an entitlement's organization has to be there",
                "leave on_missing out, and load organizations in a stage before",
            ),
            (None, _) => (
                "only the product of an entitlement, [organizations] and [products] have on_missing",
                "leave on_missing out",
            ),
        };
        let (message, help) = refused;
        self.fault(Fault::new(on_missing.span(), message).help(help));
    }

    /// Takes the fields that are names out of `fields`; whatever alone says who, or what, is required. Organizations
    /// first, then products.
    pub(super) fn names_of_entitlements(
        &self,
        fields: &mut Vec<ValuePlan>,
    ) -> [Option<ReferencePlan>; 2] {
        for group in [&OWNERS[..], &PRODUCTS] {
            if self.written(group).count() == 1 {
                let mut alone = fields.iter_mut();
                if let Some(alone) = alone.find(|field| group.contains(&&*field.name)) {
                    alone.required = true;
                }
            }
        }
        RefKind::ALL.map(|kind| {
            let entity = self.file.written.entity;
            let at = fields
                .iter()
                .position(|field| named(entity, &field.name) == Some(kind))?;
            let names = fields.remove(at);
            let on_missing = self.written(&[&names.name]).next()?.on_missing.as_ref();
            let on_missing = on_missing.map_or(OnMissing::Reject, |word| *word.get_ref());
            Some(ReferencePlan { names, on_missing })
        })
    }
}
