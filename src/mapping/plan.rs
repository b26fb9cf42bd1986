//! A mapping that was checked against a source: what is read, computed and written for each chunk.

use crate::api::contract::Contract;
use crate::mapping::cast::{Cast, Casted};
use crate::mapping::cells::Cells;
use crate::mapping::compile;
use crate::mapping::definition;
use crate::mapping::diagnostic::Diagnostics;
use crate::mapping::draft::Draft;
use crate::mapping::entitlement::{self, Names};
use crate::mapping::expr::{self, Evaluated, Expression};
use crate::mapping::file::{Empty, MappingFile};
use crate::mapping::payload::Template;
use crate::mapping::references::{OnMissing, RefKind};
use crate::mapping::sink::{Cell, Sink};
use crate::mapping::value::{Source, ValuePlan, missing};
use crate::model::code::{Code, ReasonCode};
use crate::model::entity::{Asked, Entity, Family, Operation, Verb};
use crate::source::chunk::{RowChunk, SourceSchema, render};
use polars::prelude::{Column, DataFrame, StringChunked};
use std::sync::Arc;

/// A mapping checked against the columns of a source. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Plan(pub(super) Arc<Inner>);

/// The parts of a plan.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) entity: Entity,
    pub(super) family: Family,
    pub(super) operation: Operation,
    pub(super) asked: Asked,
    pub(super) columns: Vec<String>,
    pub(super) casts: Vec<Cast>,
    pub(super) expressions: Vec<Expression>,
    /// The column whose text people know the row by.
    pub(super) key: Option<String>,
    /// Whether the key is a detail too, the last one.
    pub(super) key_detail: bool,
    pub(super) fields: Vec<ValuePlan>,
    pub(super) details: Vec<DetailPlan>,
    pub(super) detail_names: Vec<String>,
    /// The detail, by number, that names the row's parent.
    pub(super) parent: Option<usize>,
    pub(super) organizations: Option<ReferencePlan>,
    pub(super) products: Option<ReferencePlan>,
    pub(super) rules: Vec<RulePlan>,
    pub(super) identity: Identity,
    pub(super) template: Template,
}

/// A detail field.
#[derive(Debug)]
pub(super) struct DetailPlan {
    pub(super) value: ValuePlan,
    pub(super) empty: Empty,
    /// What is asked for it, in [`Family::Details`].
    pub(super) verb: Verb,
}

/// References by name.
#[derive(Debug)]
pub(super) struct ReferencePlan {
    pub(super) names: ValuePlan,
    pub(super) on_missing: OnMissing,
}

/// A condition that rows must meet.
#[derive(Debug)]
pub(super) struct RulePlan {
    pub(super) name: Arc<str>,
    pub(super) sql: String,
    pub(super) order: u32,
    pub(super) expression: usize,
    pub(super) casts: Vec<usize>,
}

/// The fields that identify a row, by number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Identity {
    /// A record; at least one is there.
    Record {
        /// The e-mail or name.
        name: Option<usize>,
        /// The id; where a row has one, it is the identity.
        id: Option<usize>,
    },
    /// A definition, identified by owner and name.
    DetailField(DefinitionFields),
    /// An entitlement, identified by who has it and by its product. Names of organizations and products are references.
    Entitlement(EntitlementFields),
}

/// The fields of an entitlement that are not looked up by name, by number.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntitlementFields {
    /// The customer's e-mail.
    pub(super) customer: Option<usize>,
    /// The customer's id.
    pub(super) customer_id: Option<usize>,
    /// The organization's id.
    pub(super) organization_id: Option<usize>,
    /// The product's id.
    pub(super) product_id: Option<usize>,
}

/// The fields of a detail field's definition, by number.
#[derive(Debug, Clone, Copy)]
pub(super) struct DefinitionFields {
    /// What it belongs to.
    pub(super) of: usize,
    /// Its name.
    pub(super) name: usize,
    /// Its type.
    pub(super) kind: usize,
    /// Its options.
    pub(super) options: Option<usize>,
}

impl Plan {
    /// Checks a mapping against the columns of a source. Payloads are written with the names of `contract`.
    ///
    /// # Errors
    /// Every fault of the mapping at once.
    pub fn compile(
        file: &MappingFile,
        schema: &SourceSchema,
        contract: &Contract,
    ) -> Result<Self, Diagnostics> {
        compile::compile(file, schema, contract).map(|inner| Self(Arc::new(inner)))
    }

    /// The names of what rows write, beyond what identifies their record; details and references by names that no field
    /// has.
    #[must_use]
    pub fn writes(&self) -> Vec<String> {
        let identifying = match self.0.identity {
            Identity::Record { name, id } => id.or(name),
            Identity::DetailField(_) => None,
            // what is written of it are its details
            Identity::Entitlement(_) => {
                let details = self.0.detail_names.iter();
                return details.map(|name| format!("detail {name}")).collect();
            }
        };
        let fields = self.0.fields.iter().enumerate();
        let fields = fields.filter(|(number, _)| Some(*number) != identifying);
        let fields = fields.map(|(_, field)| field.name.clone());
        let details = self
            .0
            .detail_names
            .iter()
            .map(|name| format!("detail {name}"));
        let organizations = self
            .0
            .organizations
            .as_ref()
            .map(|_| "organizations".to_owned());
        let products = self.0.products.as_ref().map(|_| "products".to_owned());
        let all = fields.chain(details);
        all.chain(organizations).chain(products).collect()
    }

    /// The entity it maps.
    #[must_use]
    pub fn entity(&self) -> Entity {
        self.0.entity
    }

    /// Which of the entity's bulk endpoints takes its rows.
    #[must_use]
    pub fn family(&self) -> Family {
        self.0.family
    }

    /// The operation asked of records; without meaning in [`Family::Details`].
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// What is asked of the site, as results show it. Where details have several verbs, that of the file.
    #[must_use]
    pub fn asked(&self) -> Asked {
        self.0.asked
    }

    /// The source columns it uses, in the order of the schema: the projection to read.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.0.columns
    }

    /// The source column whose value results show as the row's key, where the mapping names one.
    #[must_use]
    pub fn key_column(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// The detail fields it writes; the position of each is its bit in [`PreparedRow::details`].
    ///
    /// [`PreparedRow::details`]: crate::model::row::PreparedRow::details
    #[must_use]
    pub fn detail_names(&self) -> &[String] {
        &self.0.detail_names
    }

    /// Whether rows name parents, which travel before them.
    #[must_use]
    pub fn has_parents(&self) -> bool {
        self.0.parent.is_some()
    }

    /// The field that reasons about a row's parent name.
    #[must_use]
    pub fn parent_field(&self) -> Option<&str> {
        let parent = self.0.parent?;
        self.0.detail_names.get(parent).map(String::as_str)
    }

    /// The detail field that holds the mapping's key, by which records can be found again.
    #[must_use]
    pub fn key_detail(&self) -> Option<&str> {
        let last = self.0.detail_names.last().filter(|_| self.0.key_detail);
        last.map(String::as_str)
    }

    /// What to do about missing names; `None` when the mapping has no such references.
    #[must_use]
    pub fn on_missing(&self, kind: RefKind) -> Option<OnMissing> {
        self.0.references(kind).map(|plan| plan.on_missing)
    }

    /// Evaluates and validates a chunk. Never fails: what is wrong with a row becomes its reasons.
    ///
    /// # Panics
    /// When the chunk lacks a column of [`Plan::columns`] or has another number of rows than ids: a defect of the
    /// caller.
    #[must_use]
    pub fn draft(&self, chunk: &RowChunk) -> Draft {
        let plan = &*self.0;
        let rows = chunk.ids.len();
        let mut sink = Sink::default();
        let (frame, casts) = plan.prepare(chunk, rows);
        for (order, (cast, casted)) in (0..).zip(plan.casts.iter().zip(&casts)) {
            for row in (0..casted.failed.len()).filter(|row| casted.failed[*row]) {
                let message = format!("cannot be read as {}", cast.kind.name());
                sink.fault(row, order, Code::CastInvalid, Some(&cast.column), message);
            }
        }
        let evaluation = Evaluation {
            rows,
            evaluated: expr::evaluate(&plan.expressions, &frame, rows),
            frame,
            casts,
        };
        let fields: Vec<_> = plan
            .fields
            .iter()
            .map(|value| evaluation.value(value, &mut sink))
            .collect();
        let details = plan.details.iter();
        let details: Vec<_> = details
            .map(|detail| evaluation.value(&detail.value, &mut sink))
            .collect();
        let mut names = RefKind::ALL.map(|kind| {
            let plan = plan.references(kind)?;
            Some(evaluation.value(&plan.names, &mut sink))
        });
        plan.require_identity(&fields, &mut names, &mut sink);
        for rule in &plan.rules {
            evaluation.rule(rule, &mut sink);
        }
        let keys = plan
            .key
            .as_ref()
            .map(|key| evaluation.key(key, plan, chunk));
        Draft::new(
            Arc::clone(&self.0),
            chunk,
            sink,
            fields,
            details,
            names,
            keys,
        )
    }
}

impl Inner {
    /// References of one kind.
    pub(super) fn references(&self, kind: RefKind) -> Option<&ReferencePlan> {
        match kind {
            RefKind::Organization => self.organizations.as_ref(),
            RefKind::Product => self.products.as_ref(),
        }
    }

    /// The columns in use, cast.
    fn prepare(&self, chunk: &RowChunk, rows: usize) -> (DataFrame, Vec<Casted>) {
        assert_eq!(
            chunk.frame.height(),
            rows,
            "a chunk has one id for each row"
        );
        let mut columns: Vec<Column> = Vec::with_capacity(self.columns.len());
        let mut casts = Vec::with_capacity(self.casts.len());
        for name in &self.columns {
            columns.push(column(&chunk.frame, name).clone());
        }
        for cast in &self.casts {
            let casted = cast.apply(column(&chunk.frame, &cast.column));
            for column in columns
                .iter_mut()
                .filter(|column| *column.name() == cast.column)
            {
                *column = casted.column.clone();
            }
            casts.push(casted);
        }
        let frame = DataFrame::new(rows, columns)
            .unwrap_or_else(|error| panic!("columns of one chunk make a frame: {error}"));
        (frame, casts)
    }

    /// Rejects rows that lack what identifies them, where their values alone do not tell.
    fn require_identity(&self, fields: &[Vec<Cell>], names: &mut Names, sink: &mut Sink) {
        // a single natural key is required by its own plan
        let (name, id) = match self.identity {
            Identity::Record {
                name: Some(name),
                id: Some(id),
            } => (name, id),
            Identity::Record { .. } => return,
            Identity::DetailField(definition) => {
                return definition::check_options(definition, &self.fields, fields, sink);
            }
            Identity::Entitlement(which) => {
                return entitlement::check_parts(which, self, fields, names, sink);
            }
        };
        if self.fields[name].required || self.fields[id].required {
            return;
        }
        let plan = &self.fields[name];
        for (row, cells) in fields[name].iter().zip(&fields[id]).enumerate() {
            if cells == (&Cell::Null, &Cell::Null) {
                let (code, message) = missing();
                sink.fault(row, plan.order, code, Some(&plan.name), message);
            }
        }
    }
}

/// A chunk's columns, cast, and the values of all expressions.
struct Evaluation {
    rows: usize,
    frame: DataFrame,
    casts: Vec<Casted>,
    evaluated: Vec<Evaluated>,
}

impl Evaluation {
    /// Whether a cell that the row's value depends on could not be read.
    fn unread(&self, casts: &[usize], row: usize) -> bool {
        casts.iter().any(|cast| self.casts[*cast].has_failed(row))
    }

    fn value(&self, plan: &ValuePlan, sink: &mut Sink) -> Vec<Cell> {
        let cells = match &plan.source {
            Source::Constant(text) => Cells::Constant(text),
            Source::Column(name) => Cells::of(column(&self.frame, name), plan),
            Source::Expression(number) => Cells::of(&self.evaluated[*number].values, plan),
        };
        if let Source::Expression(number) = plan.source {
            self.failures(number, plan.order, &plan.casts, &plan.name, sink);
        }
        plan.evaluate(&cells, self.rows, self.unknown(plan).as_deref(), sink)
    }

    /// The rows whose value cannot be known, where there are such.
    fn unknown(&self, plan: &ValuePlan) -> Option<Vec<bool>> {
        let casts = plan.casts.iter().map(|cast| &self.casts[*cast].failed);
        let expression = match plan.source {
            Source::Expression(number) => Some(&self.evaluated[number].failed),
            Source::Constant(_) | Source::Column(_) => None,
        };
        let failed = casts.chain(expression).filter(|failed| !failed.is_empty());
        failed.cloned().reduce(|mut all, failed| {
            for (all, failed) in all.iter_mut().zip(failed) {
                *all |= failed;
            }
            all
        })
    }

    /// Notes the rows for which an expression cannot be computed.
    fn failures(&self, number: usize, order: u32, casts: &[usize], field: &str, sink: &mut Sink) {
        let failed = &self.evaluated[number].failed;
        for row in (0..failed.len()).filter(|row| failed[*row] && !self.unread(casts, *row)) {
            let message = "the expression cannot be computed for this row";
            sink.fault(row, order, Code::ExpressionFailed, Some(field), message);
        }
    }

    fn rule(&self, rule: &RulePlan, sink: &mut Sink) {
        self.failures(rule.expression, rule.order, &rule.casts, &rule.name, sink);
        let evaluated = &self.evaluated[rule.expression];
        let Ok(holds) = evaluated.values.bool() else {
            return;
        };
        for (row, holds) in holds.iter().enumerate() {
            if holds != Some(true) && !evaluated.has_failed(row) && !self.unread(&rule.casts, row) {
                let code = ReasonCode::Rule(Arc::clone(&rule.name));
                let message = format!("breaks the rule: {}", rule.sql);
                sink.fault(row, rule.order, code, None, message);
            }
        }
    }

    /// The key column as text; as the source has it where it cannot be read as its type.
    fn key(&self, name: &str, plan: &Inner, chunk: &RowChunk) -> StringChunked {
        let keys = render(column(&self.frame, name));
        let casts = plan.casts.iter().zip(&self.casts);
        let mut failed =
            casts.filter(|(cast, casted)| cast.column == name && !casted.failed.is_empty());
        let Some((_, casted)) = failed.next() else {
            return keys;
        };
        let raw = render(column(&chunk.frame, name));
        let both = keys.iter().zip(raw.iter()).enumerate();
        both.map(|(row, (key, raw))| if casted.has_failed(row) { raw } else { key })
            .collect()
    }
}

/// A column that the plan asked for.
fn column<'f>(frame: &'f DataFrame, name: &str) -> &'f Column {
    frame
        .column(name)
        .unwrap_or_else(|_| panic!("the chunk lacks the column {name:?}, which the plan reads"))
}
