//! Rows of entitlements: who has what, by which of the mapping's fields, and what identifies them.

use crate::api::fold;
use crate::mapping::plan::{EntitlementFields, Inner};
use crate::mapping::references::RefKind;
use crate::mapping::sink::{Cell, Sink};
use crate::mapping::value::missing;
use crate::model::code::Code;

/// The cells of names that are looked up, by [`RefKind`].
pub(super) type Names = [Option<Vec<Cell>>; 2];

/// Rejects rows without one owner and one product. Where a row has an id, the name beside it does not count: it is taken
/// out of `names`, so that nobody looks it up.
pub(super) fn check_parts(
    which: EntitlementFields,
    plan: &Inner,
    fields: &[Vec<Cell>],
    names: &mut Names,
    sink: &mut Sink,
) {
    let rows = fields.first().or(names[1].as_ref()).map_or(0, Vec::len);
    let by_name = |names: &Names, kind: RefKind, row: usize| {
        let cells = names[kind as usize].as_ref();
        cells.is_some_and(|cells| cells[row] != Cell::Null)
    };
    let by_field =
        |field: Option<usize>, row: usize| field.is_some_and(|at| fields[at][row] != Cell::Null);
    for row in 0..rows {
        for (id, kind) in [
            (which.organization_id, RefKind::Organization),
            (which.product_id, RefKind::Product),
        ] {
            if let Some(names) = names[kind as usize].as_mut().filter(|_| by_field(id, row)) {
                names[row] = Cell::Null;
            }
        }
        let customer = by_field(which.customer, row) || by_field(which.customer_id, row);
        let organization =
            by_field(which.organization_id, row) || by_name(names, RefKind::Organization, row);
        let owners = plan.owner_fields(which);
        if let (true, true, Some((order, name))) = (customer, organization, owners.last()) {
            let message = "a customer and an organization; an entitlement belongs to one of them";
            sink.fault(row, *order, Code::OwnerAmbiguous, Some(name), message);
        }
        // one field alone is required by its own plan
        if let (false, false, [(order, name), _, ..]) = (customer, organization, &*owners) {
            let message = "no value; an entitlement belongs to a customer or an organization";
            sink.fault(row, *order, Code::RequiredMissing, Some(name), message);
        }
        let product = by_field(which.product_id, row) || by_name(names, RefKind::Product, row);
        if let (false, Some(_), Some(products)) = (product, which.product_id, &plan.products) {
            let (code, message) = missing();
            let (order, name) = (products.names.order, &products.names.name);
            sink.fault(row, order, code, Some(name), message);
        }
    }
}

impl Inner {
    /// Order and name of the fields that say who has the product, as the mapping has them.
    fn owner_fields(&self, which: EntitlementFields) -> Vec<(u32, &str)> {
        let fields = [which.customer, which.customer_id, which.organization_id];
        let fields = fields.into_iter().flatten().map(|at| &self.fields[at]);
        let organizations = self.organizations.iter().map(|plan| &plan.names);
        let all = fields.chain(organizations);
        let mut all: Vec<_> = all.map(|plan| (plan.order, plan.name.as_str())).collect();
        all.sort_unstable();
        all
    }
}

/// What identifies an entitlement, as mapped: kind and text of its owner and its product.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) owner: Part<'a>,
    pub(super) product: Part<'a>,
}

/// One side of an entitlement.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    /// A customer's e-mail.
    Email(&'a str),
    /// A customer's id.
    Customer(&'a str),
    /// An organization's name.
    Organization(Name<'a>),
    /// An organization's id.
    OrganizationId(&'a str),
    /// A product's name.
    Product(Name<'a>),
    /// A product's id.
    ProductId(&'a str),
}

/// A name as written, and as names are compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) text: &'a str,
    pub(super) folded: &'a str,
}

impl<'a> Part<'a> {
    /// As the row has it.
    const fn text(self) -> &'a str {
        match self {
            Self::Email(text)
            | Self::Customer(text)
            | Self::OrganizationId(text)
            | Self::ProductId(text) => text,
            Self::Organization(name) | Self::Product(name) => name.text,
        }
    }

    /// Kind, and text as it is compared.
    fn key(self) -> [String; 2] {
        let (kind, text) = match self {
            Self::Email(email) => ("email", fold::email(email).into_owned()),
            Self::Customer(id) => ("customer", id.to_owned()),
            Self::Organization(name) => ("organization", name.folded.to_owned()),
            Self::OrganizationId(id) => ("organization-id", id.to_owned()),
            Self::Product(name) => ("product", name.folded.to_owned()),
            Self::ProductId(id) => ("product-id", id.to_owned()),
        };
        [kind.to_owned(), text]
    }
}

impl Parts<'_> {
    /// What people know the row by, where the mapping names no key.
    pub(super) fn shown(self) -> String {
        format!("{} / {}", self.owner.text(), self.product.text())
    }

    /// The folded natural key: a JSON list, so that no two pairs are written alike.
    pub(super) fn folded(self) -> String {
        let key = [self.owner.key(), self.product.key()].concat();
        serde_json::Value::from(key).to_string()
    }
}
