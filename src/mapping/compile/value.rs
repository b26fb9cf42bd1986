//! One value of the mapping, and the expressions and texts it is made of.

use super::entitlement::named;
use super::{Compiler, Role};
use crate::mapping::diagnostic::Fault;
use crate::mapping::expr;
use crate::mapping::file::{Text, WrittenSource, WrittenValue};
use crate::mapping::types::Kind;
use crate::mapping::types::moment::DateFormat;
use crate::mapping::types::phone::{self, Phone};
use crate::mapping::value::{Shape, Source, ValuePlan};
use crate::model::entity::{Entity, Family};
use polars::prelude::DataType;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// The type of a definition's `of`: no mapping names it.
const OWNER: &str = "owner";
/// The type of a definition's `type`: no mapping names it.
const DETAIL_TYPE: &str = "detail type";

impl Compiler<'_> {
    pub(super) fn value(&mut self, written: &WrittenValue, role: Role) -> Option<ValuePlan> {
        let order = self.next_order();
        let kind = self.kind(written, role);
        let is = |wanted: &str| kind.is_some_and(|kind| kind == wanted);
        let shape = match role {
            Role::Names | Role::Name => Shape::Names,
            Role::Options => Shape::Many,
            Role::Field | Role::Detail if is("multiselect") => Shape::Many,
            Role::Field | Role::Detail | Role::Parent => Shape::One,
        };
        let sound = self.options_fit(written, kind.unwrap_or_default(), role);
        let looked_up = match role {
            Role::Name => named(self.file.written.entity, written.name.get_ref()),
            Role::Field | Role::Detail | Role::Names | Role::Options | Role::Parent => None,
        };
        self.on_missing_fits(written, looked_up);
        let format = written.format.as_ref().filter(|_| is("date"));
        let format = format.map(|format| self.format(format));
        let region = written.region.as_ref().filter(|_| is("phone"));
        let region = region.map(|region| self.region(region));
        let source = written
            .source
            .as_ref()
            .and_then(|source| self.source(source));
        let (source, casts) = source?;
        if role == Role::Name && !self.is_one(written, &source) {
            return None;
        }
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
            OWNER => Kind::Owner,
            DETAIL_TYPE => Kind::DetailType,
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
        let email = role == Role::Field
            && match (self.file.written.entity, written.name.get_ref().as_str()) {
                (Entity::Entitlement, name) => name == "customer",
                (_, name) => name == "email",
            };
        let definition = role == Role::Field && self.file.written.entity == Entity::DetailField;
        let own = match written.name.get_ref().as_str() {
            "of" if definition => Some(OWNER),
            "type" if definition => Some(DETAIL_TYPE),
            _ => None,
        };
        let Some(kind) = &written.kind else {
            return Some(own.unwrap_or(if email { "email" } else { "text" }));
        };
        let known = Kind::NAMES.iter().find(|name| *name == kind.get_ref());
        let Some(&name) = known else {
            self.unknown_type(kind, &Kind::NAMES);
            return None;
        };
        let refused = match role {
            Role::Names | Role::Name if name != "text" => {
                Some(("names are text", "leave type out"))
            }
            Role::Options if name != "text" => Some(("options are text", "leave type out")),
            Role::Field if own.is_some() => Some((
                "this field has a type of its own",
                "leave type out; other words can be mapped with map",
            )),
            Role::Field if email && name != "email" => {
                Some(("this field is an e-mail address", "leave type out"))
            }
            Role::Field if name == "multiselect" => Some((
                "a field has one value",
                "multiselect is for [details]; leave type out",
            )),
            Role::Field
            | Role::Detail
            | Role::Names
            | Role::Name
            | Role::Options
            | Role::Parent => None,
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
        let values = self.file.written.family() == Family::Details;
        let mut refuse = |span: Option<Range<usize>>, fits: bool, message: &str, help: &str| {
            if let Some(span) = span.filter(|_| !fits) {
                self.faults.push(Fault::new(span, message).help(help));
            }
        };
        // an unknown type has its own fault, and says nothing about what fits it
        let known = !kind.is_empty();
        let many = kind == "multiselect" || matches!(role, Role::Names | Role::Options);
        refuse(
            written.split.as_ref().map(Text::span),
            many || !known,
            "only multiselect details, names of references and a detail field's options are split",
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
            matches!(role, Role::Detail | Role::Parent),
            "only details can be cleared",
            "leave empty out: a field without a value keeps what the site has",
        );
        refuse(
            written.verb.as_ref().map(toml::Spanned::span),
            role == Role::Detail && values,
            "only details of a mapping with api = \"details\" have a verb",
            "leave verb out: operation says what is asked",
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

    /// Refuses a source of lists for what is one name.
    fn is_one(&mut self, written: &WrittenValue, source: &Source) -> bool {
        let list = match source {
            Source::Constant(_) => false,
            Source::Column(name) => self.schema.get(name).is_some_and(DataType::is_list),
            Source::Expression(number) => self.expressions[*number].kind.is_list(),
        };
        if list {
            let name = written.name.get_ref();
            let message = format!("{name} is one name; this is a list");
            let fault = Fault::new(written.name.span(), message);
            self.fault(fault.help("write one row for each, or take one with sql"));
        }
        !list
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
        let map = written.map.iter().flat_map(toml::Spanned::get_ref);
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
            WrittenSource::Missing(span) => {
                let message = "the value does not say where it comes from";
                let help = "add one of column = \"…\", value = \"…\" or sql = \"…\"";
                self.fault(Fault::new(span.clone(), message).help(help));
                None
            }
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
    pub(super) fn expression(&mut self, sql: &Text) -> Option<usize> {
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

    pub(super) fn casts_of(&self, columns: &[String]) -> Vec<usize> {
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
