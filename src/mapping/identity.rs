//! What identifies the rows of a chunk: folded for comparison and hashed, column by column.

use crate::api::fold;
use crate::mapping::entitlement::{Name, Names, Part, Parts};
use crate::mapping::plan::{Identity, Inner};
use crate::mapping::references::RefKind;
use crate::mapping::sink::{Cell, Sink, Span};
use crate::model::entity::Entity;
use crate::model::row::KeyHash;
use std::borrow::Cow;

/// What identifies a row, as mapped.
#[derive(Debug, Clone, Copy)]
pub(super) enum Natural<'a> {
    /// An e-mail or name.
    Name(&'a str),
    /// The site's id.
    Id(&'a str),
    /// A detail field.
    Field {
        /// What it belongs to.
        of: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// An entitlement.
    Entitlement(Parts<'a>),
}

impl<'a> Natural<'a> {
    /// What identifies a row; `None` when it lacks that.
    pub(super) fn of(
        plan: &Inner,
        fields: &[Vec<Cell>],
        names: &Names,
        values: &'a Sink,
        row: usize,
    ) -> Option<Self> {
        let cell = |field: usize| match fields[field][row] {
            Cell::One(span) => Some(values.get(span)),
            Cell::Null | Cell::Unknown | Cell::Many(_) => None,
        };
        match plan.identity {
            Identity::Record { name, id } => {
                let id = id.and_then(cell).map(Natural::Id);
                id.or_else(|| name.and_then(cell).map(Natural::Name))
            }
            Identity::DetailField(definition) => Some(Natural::Field {
                of: cell(definition.of)?,
                name: cell(definition.name)?,
            }),
            Identity::Entitlement(which) => {
                let text = |field: Option<usize>| field.and_then(cell);
                let name = |kind: RefKind| {
                    let cells = names[kind as usize].as_ref()?;
                    let Cell::Many(span) = cells[row] else {
                        return None;
                    };
                    let part = values.parts(span).first()?;
                    Some(Name {
                        text: values.get(part.text),
                        folded: values.get(part.folded),
                    })
                };
                // an id beside a name counts, as with records
                let owner = (text(which.customer_id).map(Part::Customer))
                    .or_else(|| text(which.customer).map(Part::Email))
                    .or_else(|| text(which.organization_id).map(Part::OrganizationId))
                    .or_else(|| name(RefKind::Organization).map(Part::Organization))?;
                let product = (text(which.product_id).map(Part::ProductId))
                    .or_else(|| name(RefKind::Product).map(Part::Product))?;
                Some(Natural::Entitlement(Parts { owner, product }))
            }
        }
    }

    /// What people know the row by, where the mapping names no key.
    pub(super) fn shown(self) -> Cow<'a, str> {
        match self {
            Self::Name(text) | Self::Id(text) | Self::Field { name: text, .. } => text.into(),
            Self::Entitlement(parts) => parts.shown().into(),
        }
    }

    /// The text that is compared, and its hash. An id hashes behind a prefix that no name or address can have; no owner
    /// of a detail field has a slash in its name.
    fn folded(self, entity: Entity) -> (Cow<'a, str>, KeyHash) {
        let folded: Cow<'a, str> = match self {
            Natural::Id(id) => {
                let hash = fold::hash(entity, &format!("\u{0}id:{id}"));
                return (id.into(), hash);
            }
            Natural::Name(email) if entity == Entity::Customer => fold::email(email),
            Natural::Name(name) => fold::name(name),
            Natural::Field { of, name } => format!("{of}/{}", fold::name(name)).into(),
            Natural::Entitlement(parts) => parts.folded().into(),
        };
        let hash = fold::hash(entity, &folded);
        (folded, hash)
    }
}

/// What identifies each row of a chunk.
#[derive(Debug)]
pub(super) struct Identities {
    text: String,
    rows: Vec<Option<(KeyHash, Span)>>,
}

impl Identities {
    /// Folds and hashes what identifies each of so many rows.
    pub(super) fn of(
        plan: &Inner,
        fields: &[Vec<Cell>],
        names: &Names,
        values: &Sink,
        rows: usize,
    ) -> Self {
        let mut text = String::new();
        let rows = (0..rows).map(|row| {
            let natural = Natural::of(plan, fields, names, values, row)?;
            let (folded, hash) = natural.folded(plan.entity);
            let start = text.len();
            text.push_str(&folded);
            Some((hash, Span::new(start..text.len())))
        });
        let rows = rows.collect();
        Self { text, rows }
    }

    /// Hash and folded text of what identifies a row; `None` when it lacks that.
    pub(super) fn get(&self, row: usize) -> Option<(KeyHash, &str)> {
        let (hash, span) = self.rows[row]?;
        Some((hash, &self.text[span.range()]))
    }
}
