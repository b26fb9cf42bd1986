//! [`MappingFile`] + source schema → [`Inner`], collecting every fault on the way.

use crate::api::fold;
use crate::mapping::cast::{Cast, ColumnType};
use crate::mapping::diagnostic::{Diagnostics, Fault};
use crate::mapping::expr::{self, Expression};
use crate::mapping::file::{
    Empty, MAX_DETAILS, MappingFile, Text, WrittenReferences, WrittenSource, WrittenValue,
    field_names,
};
use crate::mapping::payload::Template;
use crate::mapping::plan::{DetailPlan, Identity, Inner, ReferencePlan, RulePlan};
use crate::mapping::references::RefKind;
use crate::mapping::suggest;
use crate::mapping::types::Kind;
use crate::mapping::types::moment::DateFormat;
use crate::mapping::types::phone::{self, Phone};
use crate::mapping::value::{Shape, Source, ValuePlan};
use crate::model::code::Code;
use crate::model::entity::Entity;
use crate::source::chunk::SourceSchema;
use polars::prelude::DataType;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

/// Bytes of stack for compiling: Polars takes some 40 kB for each level of an expression when it is not optimised.
const STACK: usize = 32 << 20;

/// Checks a mapping against the columns of a source, on a thread with a stack that deep expressions fit on.
pub(super) fn compile(file: &MappingFile, schema: &SourceSchema) -> Result<Inner, Diagnostics> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK);
        match builder.spawn_scoped(scope, || compile_here(file, schema)) {
            Ok(thread) => thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // the caller's own stack is enough for all but the deepest
            Err(_) => compile_here(file, schema),
        }
    })
}

fn compile_here(file: &MappingFile, schema: &SourceSchema) -> Result<Inner, Diagnostics> {
    let mut compiler = Compiler {
        file,
        source: schema,
        schema: SourceSchema::default(),
        faults: file.faults.clone(),
        casts: Vec::new(),
        expressions: Vec::new(),
        used: BTreeSet::new(),
        order: 0,
    };
    match compiler.plan() {
        Some(plan) if compiler.faults.is_empty() => Ok(plan),
        _ => Err(Diagnostics::new(&file.name, &file.text, compiler.faults)),
    }
}

/// Where a value stands; what it may be depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Field,
    Detail,
    Names,
}

struct Compiler<'a> {
    file: &'a MappingFile,
    /// The columns as read.
    source: &'a SourceSchema,
    /// The columns after `[columns]`.
    schema: SourceSchema,
    faults: Vec<Fault>,
    casts: Vec<Cast>,
    expressions: Vec<Expression>,
    /// Columns in use.
    used: BTreeSet<String>,
    /// The place of the next part of the mapping among a row's reasons.
    order: u32,
}

impl Compiler<'_> {
    /// The plan; `None` when faults leave nothing to build one from.
    fn plan(&mut self) -> Option<Inner> {
        let written = &self.file.written;
        let entity = written.entity;
        self.columns();
        let key = written.key.as_ref().and_then(|key| self.column(key));
        if let Some(detail) = &written.key_detail {
            self.detail_name(detail);
        }
        let fields: Vec<_> = written
            .fields
            .iter()
            .filter_map(|field| self.field(field))
            .collect();
        let identity = self.identity();
        let details = self.details();
        let organizations = self.references(RefKind::Organization, written.organizations.as_ref());
        let products = self.references(RefKind::Product, written.products.as_ref());
        let rules: Vec<_> = written
            .rules
            .iter()
            .filter_map(|(name, sql)| self.rule(name, sql))
            .collect();
        if !self.faults.is_empty() {
            return None;
        }
        let mut fields = fields;
        let number = |name: &str| {
            fields
                .iter()
                .position(|field: &ValuePlan| field.name == name)
        };
        let identity = Identity {
            name: number(identity.0),
            id: identity.1.and_then(number),
        };
        // a lone natural key is required; of two, a row needs one
        if let (Some(only), None) | (None, Some(only)) = (identity.name, identity.id) {
            fields[only].required = true;
        }
        let key_detail = written.key_detail.as_ref().map(Text::get_ref);
        let detail_names: Vec<String> = details
            .iter()
            .map(|detail| detail.value.name.clone())
            .chain(key_detail.cloned())
            .collect();
        let used = self.source.columns().iter().map(|(name, _)| name);
        let template = Template::new(
            entity,
            written.operation,
            fields.iter().map(|field| field.name.as_str()),
            detail_names.iter().map(String::as_str),
        );
        Some(Inner {
            entity,
            operation: written.operation,
            columns: used
                .filter(|name| self.used.contains(*name))
                .cloned()
                .collect(),
            casts: std::mem::take(&mut self.casts),
            expressions: std::mem::take(&mut self.expressions),
            key,
            key_detail: key_detail.is_some(),
            fields,
            details,
            detail_names,
            organizations,
            products,
            rules,
            identity,
            template,
        })
    }

    fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    fn next_order(&mut self) -> u32 {
        let order = self.order;
        self.order += 1;
        order
    }

    /// The column that a text names.
    fn column(&mut self, name: &Text) -> Option<String> {
        if self.source.get(name.get_ref()).is_some() {
            self.used.insert(name.get_ref().clone());
            return Some(name.get_ref().clone());
        }
        let known = self.source.columns().iter();
        let known: Vec<_> = known.map(|(name, _)| name.as_str()).collect();
        let message = format!("unknown column \"{}\"", name.get_ref());
        let help = suggest::help(name.get_ref(), "column", &known);
        self.fault(Fault::new(name.span(), message).maybe_help(help));
        None
    }

    /// `[columns]`, and the schema that it makes.
    fn columns(&mut self) {
        let written = &self.file.written.columns;
        for column in written {
            let name = self.column(&column.name);
            let types = ColumnType::ALL.iter().copied();
            let kind = types
                .clone()
                .find(|kind| kind.name() == column.kind.get_ref());
            let Some(kind) = kind else {
                let names: Vec<_> = types.map(ColumnType::name).collect();
                self.unknown_type(&column.kind, &names);
                continue;
            };
            let dated = matches!(kind, ColumnType::Date | ColumnType::Timestamp);
            if let Some(format) = column.format.as_ref().filter(|_| !dated) {
                let fault = Fault::new(
                    format.span(),
                    format!("a {} column has no format", kind.name()),
                );
                self.fault(fault.help("format is for date and timestamp; leave it out"));
                continue;
            }
            let format = column.format.as_ref().map(|format| self.format(format));
            if matches!(format, Some(None)) {
                continue;
            }
            let Some((name, from)) = name
                .and_then(|name| Some((self.source.get(&name)?, name)))
                .map(|(from, name)| (name, from.clone()))
            else {
                continue;
            };
            if !kind.reads(&from) {
                let from = with_article(noun(&from));
                let message = format!("{from} column cannot be read as {}", kind.name());
                let fault = Fault::new(column.kind.span(), message);
                self.fault(fault.help("use the column as it is, or convert it with sql"));
                continue;
            }
            self.order += 1;
            self.casts.push(Cast {
                column: name,
                kind,
                format: format.flatten(),
            });
        }
        let cast = |name: &str| {
            let casts = self.casts.iter();
            casts
                .rev()
                .find(|cast| cast.column == name)
                .map(|cast| cast.kind.dtype())
        };
        let columns = self.source.columns().iter();
        let columns = columns
            .map(|(name, kind)| (name.clone(), cast(name).unwrap_or_else(|| kind.clone())))
            .collect();
        self.schema = SourceSchema::new(columns);
    }

    fn unknown_type(&mut self, kind: &Text, names: &[&str]) {
        let message = format!("unknown type \"{}\"", kind.get_ref());
        let help = suggest::help(kind.get_ref(), "type", names);
        self.fault(Fault::new(kind.span(), message).maybe_help(help));
    }

    fn format(&mut self, format: &Text) -> Option<DateFormat> {
        match DateFormat::new(format.get_ref()) {
            Ok(format) => Some(format),
            Err(message) => {
                let fault = Fault::new(format.span(), message);
                self.fault(fault.help("formats look like \"%d/%m/%Y\": %Y year, %m month, %d day"));
                None
            }
        }
    }

    fn field(&mut self, written: &WrittenValue) -> Option<ValuePlan> {
        let entity = self.file.written.entity;
        let known = field_names(entity);
        let name = written.name.get_ref().as_str();
        if !known.contains(&name) {
            let message = format!(
                "unknown field \"{name}\" of {}",
                with_article(entity.name())
            );
            let help = suggest::nearest(name, known.iter().copied()).map_or_else(
                || match (entity, known) {
                    (Entity::Product, _) => "a product has only \"name\"".to_owned(),
                    _ => format!(
                        "{} has {}; other fields of the site stand in [details]",
                        with_article(entity.name()),
                        suggest::list(known)
                    ),
                },
                |nearest| format!("did you mean \"{nearest}\"?"),
            );
            self.fault(Fault::new(written.name.span(), message).help(help));
        }
        self.value(written, Role::Field)
    }

    /// The names of the natural keys: the e-mail or name, and the id where the entity has one.
    fn identity(&mut self) -> (&'static str, Option<&'static str>) {
        let entity = self.file.written.entity;
        let (name, id) = match entity {
            Entity::Customer => ("email", Some("customer_id")),
            Entity::Organization => ("name", Some("id")),
            Entity::Product => ("name", None),
        };
        let fields = &self.file.written.fields;
        let mapped = |wanted: &str| fields.iter().any(|field| field.name.get_ref() == wanted);
        if !mapped(name) && !id.is_some_and(mapped) {
            let or = id.map_or_else(String::new, |id| format!(" or \"{id}\""));
            let message = format!(
                "{} needs \"{name}\"{or} in [fields]",
                with_article(entity.name())
            );
            let span = self.file.written.entity_span.clone();
            let help = format!("add {name} = \"…\", the column that identifies the {entity}");
            self.fault(Fault::new(span, message).help(help));
        }
        (name, id)
    }

    fn details(&mut self) -> Vec<DetailPlan> {
        let written = &self.file.written;
        let mut seen: HashMap<String, &str> = HashMap::new();
        let names = written.details.iter().map(|detail| &detail.name);
        for (index, name) in names.chain(&written.key_detail).enumerate() {
            let folded = fold::name(name.get_ref()).into_owned();
            if let Some(first) = seen.insert(folded, name.get_ref()) {
                let message = format!("the detail \"{}\" is mapped twice", name.get_ref());
                let help = if first == name.get_ref() {
                    "leave one of them out".to_owned()
                } else {
                    format!("the site takes it for \"{first}\": case and blanks do not matter")
                };
                self.fault(Fault::new(name.span(), message).help(help));
            }
            if index == MAX_DETAILS {
                let message = format!("more than {MAX_DETAILS} details");
                let fault = Fault::new(name.span(), message);
                self.fault(fault.help(format!("a site has at most {MAX_DETAILS} detail fields")));
            }
        }
        let mut details = Vec::with_capacity(written.details.len());
        for detail in &written.details {
            self.detail_name(&detail.name);
            if let Some(value) = self.value(detail, Role::Detail) {
                details.push(DetailPlan {
                    value,
                    empty: detail
                        .empty
                        .as_ref()
                        .map_or(Empty::Keep, |empty| *empty.get_ref()),
                });
            }
        }
        details
    }

    fn detail_name(&mut self, name: &Text) {
        if self.file.written.entity == Entity::Product {
            let fault = Fault::new(name.span(), "products have no details");
            self.fault(fault.help("a product is its name alone"));
        } else if name.get_ref().trim().is_empty() {
            let fault = Fault::new(name.span(), "the detail has no name");
            self.fault(fault.help("write the field's name as the site shows it"));
        }
    }

    fn references(
        &mut self,
        kind: RefKind,
        written: Option<&WrittenReferences>,
    ) -> Option<ReferencePlan> {
        let written = written?;
        let entity = self.file.written.entity;
        let allowed = match kind {
            RefKind::Organization => entity == Entity::Customer,
            RefKind::Product => entity != Entity::Product,
        };
        if !allowed {
            let section = kind.section();
            let message = format!("{} has no [{section}]", with_article(entity.name()));
            let fault = Fault::new(written.section.span(), message);
            self.fault(fault.help(match kind {
                RefKind::Organization => "only customers belong to organizations",
                RefKind::Product => "customers and organizations have products",
            }));
        }
        let mut names = self.value(written.names.as_ref()?, Role::Names)?;
        kind.section().clone_into(&mut names.name);
        Some(ReferencePlan {
            names,
            on_missing: written.on_missing,
        })
    }

    fn rule(&mut self, name: &Text, sql: &Text) -> Option<RulePlan> {
        let order = self.next_order();
        let text = name.get_ref().as_str();
        let sound = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if text.is_empty() || !text.bytes().all(sound) {
            let message = format!("the rule name \"{text}\" is not a code");
            let fault = Fault::new(name.span(), message);
            self.fault(fault.help("use A–Z, 0–9 and _, as in CONTRACT_ENDED"));
        } else if Code::ALL.iter().any(|code| code.name() == text) {
            let message = format!("{text} is a code of its own already");
            let fault = Fault::new(name.span(), message);
            self.fault(fault.help("give the rule another name"));
        }
        let expression = self.expression(sql)?;
        let kind = &self.expressions[expression].kind;
        if !kind.is_bool() {
            let found = match noun(kind) {
                noun @ ("text" | "null") => noun.to_owned(),
                noun => with_article(noun),
            };
            let message = format!("a rule is a condition; this is {found}");
            let fault = Fault::new(sql.span(), message);
            self.fault(fault.help("compare it with something, as in length(name) > 1"));
        }
        Some(RulePlan {
            name: text.into(),
            sql: sql.get_ref().clone(),
            order,
            expression,
            casts: self.casts_of(&self.expressions[expression].columns),
        })
    }

    fn value(&mut self, written: &WrittenValue, role: Role) -> Option<ValuePlan> {
        let order = self.next_order();
        let kind = self.kind(written, role);
        let is = |wanted: &str| kind.is_some_and(|kind| kind == wanted);
        let shape = match role {
            Role::Names => Shape::Names,
            Role::Field | Role::Detail if is("multiselect") => Shape::Many,
            Role::Field | Role::Detail => Shape::One,
        };
        let sound = self.options_fit(written, kind.unwrap_or_default(), role);
        let format = written.format.as_ref().filter(|_| is("date"));
        let format = format.map(|format| self.format(format));
        let region = written.region.as_ref().filter(|_| is("phone"));
        let region = region.map(|region| self.region(region));
        let source = written
            .source
            .as_ref()
            .and_then(|source| self.source(source));
        let (source, casts) = source?;
        if !sound || matches!(format, Some(None)) || matches!(region, Some(None)) {
            return None;
        }
        let kind = match kind? {
            "email" => Kind::Email,
            "url" => Kind::Url,
            "date" => Kind::Date(format.flatten().unwrap_or_else(DateFormat::iso)),
            "number" => Kind::Number,
            "boolean" => Kind::Boolean,
            "phone" => Kind::Phone(Phone::new(region.flatten())),
            "select" => Kind::Select,
            "multiselect" => Kind::Multiselect,
            _ => Kind::Text,
        };
        let texts = |entries: &Vec<(Text, Text)>| -> HashMap<String, String> {
            let entries = entries.iter();
            entries
                .map(|(from, to)| (from.get_ref().clone(), to.get_ref().clone()))
                .collect()
        };
        let plan = ValuePlan {
            name: written.name.get_ref().clone(),
            order,
            source,
            casts,
            shape,
            trim: role != Role::Detail || !kind.is_text(),
            kind,
            split: written.split.as_ref().map(|split| split.get_ref().clone()),
            map: written.map.as_ref().map(|map| texts(map.get_ref())),
            default: written.default.as_ref().map(|text| text.get_ref().clone()),
            required: written.required,
            min_length: written.min_length.as_ref().map(|length| *length.get_ref()),
            max_length: written.max_length.as_ref().map(|length| *length.get_ref()),
            options: written.options.as_ref().map(|options| {
                let options = options.get_ref().iter();
                options
                    .map(|option| option.get_ref().clone())
                    .collect::<HashSet<_>>()
            }),
        };
        self.fixed_texts(written, &plan);
        Some(plan)
    }

    /// The type's name, when it is known and fits the place.
    fn kind(&mut self, written: &WrittenValue, role: Role) -> Option<&'static str> {
        let email = role == Role::Field && written.name.get_ref() == "email";
        let Some(kind) = &written.kind else {
            return Some(if email { "email" } else { "text" });
        };
        let known = Kind::NAMES.iter().find(|name| *name == kind.get_ref());
        let Some(&name) = known else {
            self.unknown_type(kind, &Kind::NAMES);
            return None;
        };
        let refused = match role {
            Role::Names if name != "text" => Some(("names are text", "leave type out")),
            Role::Field if email && name != "email" => {
                Some(("the field \"email\" is an e-mail address", "leave type out"))
            }
            Role::Field if name == "multiselect" => Some((
                "a field has one value",
                "multiselect is for [details]; leave type out",
            )),
            Role::Field | Role::Detail | Role::Names => None,
        };
        if let Some((message, help)) = refused {
            self.fault(Fault::new(kind.span(), message).help(help));
            return None;
        }
        Some(name)
    }

    /// Refuses keys that have no meaning for a value of this type and place.
    fn options_fit(&mut self, written: &WrittenValue, kind: &str, role: Role) -> bool {
        let before = self.faults.len();
        let mut refuse = |span: Option<Range<usize>>, fits: bool, message: &str, help: &str| {
            if let Some(span) = span.filter(|_| !fits) {
                self.faults.push(Fault::new(span, message).help(help));
            }
        };
        // an unknown type has its own fault, and says nothing about what fits it
        let known = !kind.is_empty();
        let many = kind == "multiselect" || role == Role::Names;
        refuse(
            written.split.as_ref().map(Text::span),
            many || !known,
            "only multiselect details and names of references are split",
            "add type = \"multiselect\", or take one part with split_part(x, ';', 1)",
        );
        refuse(
            written.format.as_ref().map(Text::span),
            kind == "date" || !known,
            "only dates have a format",
            "add type = \"date\"",
        );
        refuse(
            written.options.as_ref().map(toml::Spanned::span),
            matches!(kind, "select" | "multiselect") || !known,
            "only select and multiselect have options",
            "add type = \"select\"",
        );
        refuse(
            written.region.as_ref().map(Text::span),
            kind == "phone" || !known,
            "only phone numbers have a region",
            "add type = \"phone\"",
        );
        refuse(
            written.empty.as_ref().map(toml::Spanned::span),
            role == Role::Detail,
            "only details can be cleared",
            "leave empty out: a field without a value keeps what the site has",
        );
        if let (Some(min), Some(max)) = (&written.min_length, &written.max_length) {
            refuse(
                Some(min.span()),
                min.get_ref() <= max.get_ref(),
                "min_length is more than max_length",
                "no value could fit",
            );
        }
        self.faults.len() == before
    }

    fn region(&mut self, region: &Text) -> Option<phonenumber::country::Id> {
        let known = phone::region(region.get_ref());
        if known.is_none() {
            let message = format!("unknown region \"{}\"", region.get_ref());
            let fault = Fault::new(region.span(), message);
            self.fault(fault.help("use the country's two capital letters, as in \"DE\" or \"GB\""));
        }
        known
    }

    /// Refuses texts of the mapping that its own checks would reject in every row.
    fn fixed_texts(&mut self, written: &WrittenValue, plan: &ValuePlan) {
        let map = written.map.iter().flat_map(|map| map.get_ref());
        let mut texts: Vec<&Text> = map.map(|(_, to)| to).chain(&written.default).collect();
        if let (Some(WrittenSource::Constant(text)), None, None) =
            (&written.source, &written.map, &written.split)
        {
            texts.push(text);
        }
        for text in texts.into_iter().filter(|text| !text.get_ref().is_empty()) {
            let mut found = Vec::new();
            plan.check(&plan.kind, text.get_ref(), &mut found);
            for (_, message) in found {
                let message = format!("every row with this value would be rejected: {message}");
                self.fault(Fault::new(text.span(), message));
            }
        }
    }

    /// The source, and the casts it depends on.
    fn source(&mut self, source: &WrittenSource) -> Option<(Source, Vec<usize>)> {
        match source {
            WrittenSource::Constant(text) => {
                Some((Source::Constant(text.get_ref().clone()), Vec::new()))
            }
            WrittenSource::Column(name) => {
                let name = self.column(name)?;
                let casts = self.casts_of(std::slice::from_ref(&name));
                Some((Source::Column(name), casts))
            }
            WrittenSource::Sql(sql) => {
                let number = self.expression(sql)?;
                let kind = &self.expressions[number].kind;
                if !is_supported(kind) {
                    let message = format!("the expression gives a value of type {kind}");
                    let fault = Fault::new(sql.span(), message);
                    self.fault(fault.help("turn it into text, a number or a date"));
                    return None;
                }
                let casts = self.casts_of(&self.expressions[number].columns);
                Some((Source::Expression(number), casts))
            }
        }
    }

    /// The number of the compiled expression.
    fn expression(&mut self, sql: &Text) -> Option<usize> {
        match expr::compile(sql.get_ref(), &self.schema) {
            Ok(expression) => {
                self.used.extend(expression.columns.iter().cloned());
                self.expressions.push(expression);
                Some(self.expressions.len() - 1)
            }
            Err(faults) => {
                for fault in faults {
                    let span = self.inside(sql, &fault.range);
                    let help = fault.help;
                    self.fault(Fault::new(span, fault.message).maybe_help(help));
                }
                None
            }
        }
    }

    /// The place in the file of a part of a text; the whole text when it is not written literally.
    fn inside(&self, text: &Text, range: &Range<usize>) -> Range<usize> {
        let span = text.span();
        let raw = self.file.text.get(span.clone()).unwrap_or_default();
        // after one quote, after three, or after three and a line break
        let start = [1, 3, 4, 5].into_iter().find(|start| {
            raw.get(*start..).is_some_and(|rest| {
                let value = text.get_ref().as_str();
                let quotes = rest.strip_prefix(value);
                quotes.is_some_and(|end| end.bytes().all(|byte| matches!(byte, b'"' | b'\'')))
            })
        });
        match start {
            Some(start) if *range != (0..text.get_ref().len()) => {
                span.start + start + range.start..span.start + start + range.end
            }
            _ => span,
        }
    }

    fn casts_of(&self, columns: &[String]) -> Vec<usize> {
        let casts = self.casts.iter().enumerate();
        casts
            .filter(|(_, cast)| columns.contains(&cast.column))
            .map(|(number, _)| number)
            .collect()
    }
}

/// Types that have a canonical text.
fn is_supported(kind: &DataType) -> bool {
    match kind {
        DataType::List(inner) => is_supported(inner) && !inner.is_list(),
        DataType::String
        | DataType::Boolean
        | DataType::Date
        | DataType::Datetime(..)
        | DataType::Null => true,
        kind => kind.is_primitive_numeric() || kind.is_decimal(),
    }
}

/// A type in the words of `[columns]`.
fn noun(kind: &DataType) -> &'static str {
    match kind {
        DataType::String => "text",
        DataType::Boolean => "boolean",
        DataType::Date => "date",
        DataType::Datetime(..) => "timestamp",
        DataType::List(_) => "list",
        DataType::Null => "null",
        kind if kind.is_integer() => "integer",
        kind if kind.is_primitive_numeric() || kind.is_decimal() => "number",
        _ => "other",
    }
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {noun}")
}
