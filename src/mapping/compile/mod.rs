//! [`MappingFile`] + source schema → [`Inner`], collecting every fault on the way.

mod details;
mod entitlement;
mod family;
mod fields;
mod hierarchy;
mod references;
mod value;

use crate::api::contract::Contract;
use crate::mapping::cast::{Cast, ColumnType};
use crate::mapping::diagnostic::{Diagnostics, Fault};
use crate::mapping::expr::Expression;
use crate::mapping::file::{MappingFile, Text};
use crate::mapping::payload::Template;
use crate::mapping::plan::{Inner, RulePlan};
use crate::mapping::references::RefKind;
use crate::mapping::suggest;
use crate::mapping::types::moment::DateFormat;
use crate::model::code::Code;
use crate::model::entity::Entity;
use crate::source::chunk::SourceSchema;
use polars::prelude::DataType;
use std::collections::BTreeSet;

/// Bytes of stack for compiling: Polars takes some 40 kB for each level of an expression when it is not optimised.
const STACK: usize = 32 << 20;

/// Checks a mapping against the columns of a source, on a thread with a stack that deep expressions fit on.
pub(super) fn compile(
    file: &MappingFile,
    schema: &SourceSchema,
    contract: &Contract,
) -> Result<Inner, Diagnostics> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK);
        match builder.spawn_scoped(scope, || compile_here(file, schema, contract)) {
            Ok(thread) => thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // the caller's own stack is enough for all but the deepest
            Err(_) => compile_here(file, schema, contract),
        }
    })
}

fn compile_here(
    file: &MappingFile,
    schema: &SourceSchema,
    contract: &Contract,
) -> Result<Inner, Diagnostics> {
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
    match compiler.plan(contract) {
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
    /// The name of an organization's parent: a detail that is one text.
    Parent,
    /// The name of one record that is looked up.
    Name,
    /// The options of a detail field's definition.
    Options,
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
    fn plan(&mut self, contract: &Contract) -> Option<Inner> {
        let written = &self.file.written;
        self.columns();
        self.family();
        let key = written.key.as_ref().and_then(|key| self.column(key));
        if let Some(detail) = &written.key_detail {
            self.detail_name(detail);
        }
        let mut fields: Vec<_> = written
            .fields
            .iter()
            .filter_map(|field| self.field(field))
            .collect();
        self.require_fields();
        let mut details = self.details();
        let parent = self.hierarchy();
        let mut organizations =
            self.references(RefKind::Organization, written.organizations.as_ref());
        let mut products = self.references(RefKind::Product, written.products.as_ref());
        if written.entity == Entity::Entitlement {
            [organizations, products] = self.names_of_entitlements(&mut fields);
        }
        let rules: Vec<_> = written
            .rules
            .iter()
            .filter_map(|(name, sql)| self.rule(name, sql))
            .collect();
        if !self.faults.is_empty() {
            return None;
        }
        let identity = self.identity(&mut fields)?;
        let parent = parent.map(|parent| {
            details.push(parent);
            details.len() - 1
        });
        let key_detail = written.key_detail.as_ref().map(Text::get_ref);
        let detail_names: Vec<String> = details
            .iter()
            .map(|detail| detail.value.name.clone())
            .chain(key_detail.cloned())
            .collect();
        let template = Template::new(written, &fields, &details, contract);
        let used = self.source.columns().iter().map(|(name, _)| name);
        Some(Inner {
            entity: written.entity,
            family: written.family(),
            operation: written.operation(),
            asked: self.asked(&details),
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
            parent,
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
