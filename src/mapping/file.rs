//! The mapping file as written: every part with its place in the file, nothing checked against a source yet.

use crate::api::contract::MAX_DETAIL_FIELDS;
use crate::mapping::diagnostic::{Diagnostics, Fault};
use crate::mapping::reader;
use crate::mapping::references::OnMissing;
use crate::model::entity::{Entity, Family, Operation, Verb};
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::DeTable;
use xxhash_rust::xxh3::xxh3_128;

/// Text with its place in the file, quotes included.
pub(super) type Text = Spanned<String>;

/// A mapping file whose TOML is sound and that names its entity. [`Plan::compile`] checks the rest.
///
/// [`Plan::compile`]: crate::mapping::Plan::compile
#[derive(Debug, Clone)]
pub struct MappingFile {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) written: Written,
    /// Faults found while reading that leave the rest checkable.
    pub(super) faults: Vec<Fault>,
}

/// The parts of a mapping file.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) entity: Entity,
    pub(super) entity_span: Range<usize>,
    /// The endpoint family, where the file names one.
    pub(super) api: Option<Spanned<Family>>,
    pub(super) operation: Option<Spanned<Operation>>,
    /// The verb of details that have none of their own.
    pub(super) verb: Option<Spanned<Verb>>,
    pub(super) key: Option<Text>,
    pub(super) key_detail: Option<Text>,
    pub(super) columns: Vec<WrittenColumn>,
    pub(super) fields: Vec<WrittenValue>,
    /// The word `details` of `[details]`.
    pub(super) details_section: Option<Range<usize>>,
    pub(super) details: Vec<WrittenValue>,
    pub(super) organizations: Option<WrittenReferences>,
    pub(super) products: Option<WrittenReferences>,
    pub(super) hierarchy: Option<WrittenHierarchy>,
    pub(super) rules: Vec<(Text, Text)>,
}

/// An entry of `[columns]`.
#[derive(Debug, Clone)]
pub(super) struct WrittenColumn {
    pub(super) name: Text,
    pub(super) kind: Text,
    pub(super) format: Option<Text>,
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub(super) enum WrittenSource {
    /// A column of the source.
    Column(Text),
    /// The same text for every row.
    Constant(Text),
    /// An expression.
    Sql(Text),
    /// None is given; the place is that of the whole value.
    Missing(Range<usize>),
}

/// What to send for a null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Empty {
    /// Nothing: the site keeps its value.
    #[default]
    Keep,
    /// An empty list: the site clears its value.
    Clear,
}

/// An entry of `[fields]` or `[details]`, or the `names` of references.
#[derive(Debug, Clone)]
pub(super) struct WrittenValue {
    pub(super) name: Text,
    /// `None` when it is contradictory, which is a fault of its own.
    pub(super) source: Option<WrittenSource>,
    pub(super) kind: Option<Text>,
    pub(super) map: Option<Spanned<Vec<(Text, Text)>>>,
    pub(super) default: Option<Text>,
    pub(super) split: Option<Text>,
    pub(super) format: Option<Text>,
    pub(super) options: Option<Spanned<Vec<Text>>>,
    pub(super) required: bool,
    pub(super) min_length: Option<Spanned<usize>>,
    pub(super) max_length: Option<Spanned<usize>>,
    pub(super) region: Option<Text>,
    pub(super) empty: Option<Spanned<Empty>>,
    pub(super) verb: Option<Spanned<Verb>>,
    pub(super) on_missing: Option<Spanned<OnMissing>>,
}

/// `[organizations]` or `[products]`.
#[derive(Debug, Clone)]
pub(super) struct WrittenReferences {
    /// The section's name.
    pub(super) section: Text,
    pub(super) names: Option<WrittenValue>,
    pub(super) on_missing: OnMissing,
}

/// `[hierarchy]`.
#[derive(Debug, Clone)]
pub(super) struct WrittenHierarchy {
    /// The word `hierarchy`.
    pub(super) section: Text,
    /// The parent's name, a value that bears the detail's name; `None` when either is missing, which is a fault of its own.
    pub(super) parent: Option<WrittenValue>,
}

/// Bytes of a mapping file; a larger one is something else.
const MAX_BYTES: u64 = 1 << 20;
/// Faults of syntax that are shown: one often brings others after it.
const MOST_SYNTAX_FAULTS: usize = 8;

/// The fault of a file that holds nothing a mapping holds.
fn not_a_mapping() -> Fault {
    Fault::new(
        0..0,
        "this is not a mapping file: it is not TOML with a mapping's keys",
    )
    .help("name the mapping with --mapping and the rows with --input")
}

impl MappingFile {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// When the file cannot be read, is not TOML, or does not say which entity it maps.
    pub fn read(path: &Path) -> Result<Self, Diagnostics> {
        let name = path.display().to_string();
        if std::fs::metadata(path).is_ok_and(|found| found.len() > MAX_BYTES) {
            return Err(Diagnostics::new(&name, "", vec![not_a_mapping()]));
        }
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&name, text),
            Err(error) => {
                let fault = Fault::new(0..0, format!("failed to read the mapping file: {error}"))
                    .help("check its path; a mapping file is UTF-8 text");
                Err(Diagnostics::new(&name, "", vec![fault]))
            }
        }
    }

    /// Reads a mapping from text; `name` is what faults call the file.
    ///
    /// # Errors
    /// When the text is not TOML or does not say which entity it maps. All other faults wait for
    /// [`Plan::compile`](crate::mapping::Plan::compile), which reports them together.
    pub fn parse(name: &str, text: String) -> Result<Self, Diagnostics> {
        let (table, errors) = DeTable::parse_recoverable(&text);
        if !errors.is_empty() {
            // rows taken for a mapping must not be shown: they are somebody's data
            if !reader::KEYS
                .iter()
                .any(|key| table.get_ref().contains_key(*key))
            {
                return Err(Diagnostics::new(name, "", vec![not_a_mapping()]));
            }
            let faults = errors
                .iter()
                .take(MOST_SYNTAX_FAULTS)
                .map(reader::syntax_fault)
                .collect();
            return Err(Diagnostics::new(name, &text, faults));
        }
        let (written, faults) = reader::read(table.get_ref());
        let Some(written) = written else {
            return Err(Diagnostics::new(name, &text, faults));
        };
        Ok(Self {
            name: name.to_owned(),
            text,
            written,
            faults,
        })
    }

    /// The entity it maps.
    #[must_use]
    pub fn entity(&self) -> Entity {
        self.written.entity
    }

    /// Hash of the file's text: the same text has the same digest, on every machine.
    #[must_use]
    pub fn digest(&self) -> u128 {
        xxh3_128(self.text.as_bytes())
    }
}

impl Written {
    /// The endpoint family.
    pub(super) fn family(&self) -> Family {
        self.api
            .as_ref()
            .map_or_else(Family::default, |api| *api.get_ref())
    }

    /// The operation asked of records.
    pub(super) fn operation(&self) -> Operation {
        match (&self.operation, self.entity) {
            (Some(operation), _) => *operation.get_ref(),
            (None, Entity::DetailField) => Operation::Create,
            (
                None,
                Entity::Product | Entity::Organization | Entity::Customer | Entity::Entitlement,
            ) => Operation::default(),
        }
    }

    /// The verb of details that have none of their own.
    pub(super) fn verb(&self) -> Verb {
        self.verb
            .as_ref()
            .map_or_else(Verb::default, |verb| *verb.get_ref())
    }
}

/// Keys that fields of an entity have, the natural keys first.
pub(super) const fn field_names(entity: Entity, family: Family) -> &'static [&'static str] {
    match (entity, family) {
        (Entity::Customer, Family::Profile | Family::Account) => {
            &["email", "customer_id", "display_name"]
        }
        (Entity::Customer, Family::Details) => &["customer_id"],
        (Entity::Organization, Family::Profile | Family::Account) => &["name", "id"],
        (Entity::Organization, Family::Details) => &["id"],
        (Entity::Product, _) => &["name"],
        (Entity::DetailField, _) => &["of", "name", "type", "options"],
        (Entity::Entitlement, _) => &[
            "customer",
            "customer_id",
            "organization",
            "organization_id",
            "product",
            "product_id",
        ],
    }
}

/// Detail fields that a plan can tell apart in the bits of a row.
pub(super) const MAX_DETAILS: usize = {
    assert!(MAX_DETAIL_FIELDS <= 64, "details are bits of a u64");
    MAX_DETAIL_FIELDS
};
