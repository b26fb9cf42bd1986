//! Entitlements: no request carries one whole, so that a row's JSON is [`Entitlement`], and the engine's to take apart.

use super::{Detail, References};
use crate::mapping::sink::{Cell, Sink};
use crate::model::entitlement::{Entitlement, Owner};

/// Where the parts of an entitlement stand among the plan's fields, and what its details are called.
#[derive(Debug)]
pub(in crate::mapping) struct EntitlementTemplate {
    customer: Option<usize>,
    customer_id: Option<usize>,
    organization_id: Option<usize>,
    product_id: Option<usize>,
    details: Vec<String>,
}

impl EntitlementTemplate {
    /// A template for fields and details in the plan's order.
    pub(super) fn new<'a>(
        fields: impl Iterator<Item = &'a str>,
        details: impl Iterator<Item = &'a str>,
    ) -> Self {
        let fields: Vec<_> = fields.collect();
        let number = |wanted: &str| fields.iter().position(|field| *field == wanted);
        Self {
            customer: number("customer"),
            customer_id: number("customer_id"),
            organization_id: number("organization_id"),
            product_id: number("product_id"),
            details: details.map(str::to_owned).collect(),
        }
    }

    /// Writes one row; of a row whose names were not looked up, what its ids say.
    pub(super) fn write<'d>(
        &self,
        out: &mut Vec<u8>,
        values: &Sink,
        field: impl Fn(usize) -> Cell,
        detail: impl Fn(usize) -> Detail<'d>,
        references: &References<'_>,
    ) {
        let text = |number: Option<usize>| match number.map(&field) {
            Some(Cell::One(span)) => Some(values.get(span).to_owned()),
            _ => None,
        };
        let first = |ids: &[&str]| ids.first().map(|id| (*id).to_owned());
        let organization =
            || text(self.organization_id).or_else(|| first(&references.organizations));
        let owner = text(self.customer_id)
            .map(Owner::Customer)
            .or_else(|| text(self.customer).map(Owner::Email))
            .unwrap_or_else(|| Owner::Organization(organization().unwrap_or_default()));
        let product = text(self.product_id).or_else(|| first(&references.products));
        let details = self.details.iter().enumerate().filter_map(|(at, name)| {
            let values = match detail(at) {
                Detail::Absent => return None,
                Detail::Clear | Detail::Cell(Cell::Null | Cell::Unknown) => Vec::new(),
                Detail::Text(text) => vec![text.to_owned()],
                Detail::Cell(Cell::One(span)) => vec![values.get(span).to_owned()],
                Detail::Cell(Cell::Many(span)) => {
                    let parts = values.parts(span).iter();
                    parts.map(|part| values.get(part.text).to_owned()).collect()
                }
            };
            Some((name.clone(), values))
        });
        let entitlement = Entitlement {
            owner,
            product: product.unwrap_or_default(),
            details: details.collect(),
        };
        // writing texts into memory has no way to fail
        let _ = serde_json::to_writer(out, &entitlement);
    }
}
