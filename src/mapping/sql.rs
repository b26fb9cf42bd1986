//! Which SQL a mapping may use: expressions that see one row at a time and give the same answer always.
//!
//! The syntax tree is walked against a list of what is allowed; what Polars would accept beyond it is refused, since
//! a chunk of rows must not influence its neighbours.

use crate::mapping::functions::{self, Refusal};
use crate::mapping::suggest;
use crate::mapping::syntax::{SqlFault, parse, range_of};
use crate::source::chunk::SourceSchema;
use chrono::format::StrftimeItems;
use sqlparser::ast::{
    AccessExpr, BinaryOperator as Op, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, Spanned, Subscript, UnaryOperator, Value,
};
use std::ops::Range;

/// Bytes an expression may have.
const MAX_SQL: usize = 8_192;
/// How deeply an expression may nest; the trees are walked recursively, by us and by Polars.
const MAX_DEPTH: usize = 64;
/// Bytes of an expression that messages quote.
const QUOTED: usize = 60;

/// The columns that the expression uses, each once, or everything that is wrong with it.
pub(super) fn check(sql: &str, schema: &SourceSchema) -> Result<Vec<String>, Vec<SqlFault>> {
    let mut walk = Walk {
        sql,
        schema,
        columns: Vec::new(),
        faults: Vec::new(),
    };
    if sql.len() > MAX_SQL {
        walk.fault(
            0..sql.len(),
            format!("the expression is longer than {MAX_SQL} bytes"),
            None,
        );
        return Err(walk.faults);
    }
    match parse(sql) {
        Ok(expr) => walk.expr(&expr, 0),
        Err(fault) => walk.faults.push(fault),
    }
    if walk.faults.is_empty() {
        Ok(walk.columns)
    } else {
        Err(walk.faults)
    }
}

/// A walk over the syntax tree.
struct Walk<'a> {
    sql: &'a str,
    schema: &'a SourceSchema,
    columns: Vec<String>,
    faults: Vec<SqlFault>,
}

impl Walk<'_> {
    fn fault(&mut self, range: Range<usize>, message: String, help: Option<String>) {
        self.faults.push(SqlFault {
            range,
            message,
            help,
        });
    }

    fn at(&self, expr: &Expr) -> Range<usize> {
        range_of(self.sql, expr.span())
    }

    fn refuse(&mut self, expr: &Expr, message: impl Into<String>, help: &str) {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.fault(self.at(expr), message.into(), help);
    }

    fn all<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>, depth: usize) {
        for expr in exprs {
            self.expr(expr, depth);
        }
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each allowed kind of node"
    )]
    fn expr(&mut self, expr: &Expr, depth: usize) {
        if depth > MAX_DEPTH {
            // one fault is enough for the whole tree
            if self.faults.is_empty() {
                // without a place: finding it would walk the tree as deeply
                let help = "use concat(…) for a chain of ||, and map for a long case";
                let message = "the expression nests too deeply".to_owned();
                self.fault(0..self.sql.len(), message, Some(help.to_owned()));
            }
            return;
        }
        let next = depth + 1;
        match expr {
            Expr::Identifier(ident) => self.column(ident),
            Expr::Value(value) => {
                if matches!(value.value, Value::Placeholder(_)) {
                    self.refuse(expr, "placeholders are not supported", "");
                }
            }
            Expr::TypedString(_) | Expr::Interval(_) => {}
            Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::Nested(inner)
            | Expr::Ceil { expr: inner, .. }
            | Expr::Floor { expr: inner, .. }
            | Expr::Extract { expr: inner, .. } => self.expr(inner, next),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.all([&**left, right], next);
            }
            Expr::InList { expr, list, .. } => {
                self.expr(expr, next);
                self.all(list, next);
            }
            Expr::Between {
                expr, low, high, ..
            } => self.all([&**expr, low, high], next),
            Expr::BinaryOp { left, op, right } => {
                self.operator(expr, op, right);
                self.all([&**left, right], next);
            }
            Expr::UnaryOp { op, expr: inner } => {
                use UnaryOperator::{Minus, Not, Plus};
                if !matches!(op, Minus | Not | Plus) {
                    self.refuse(expr, format!("the operator {op} is not supported"), "");
                }
                self.expr(inner, next);
            }
            Expr::Like {
                expr: text,
                pattern,
                ..
            }
            | Expr::ILike {
                expr: text,
                pattern,
                ..
            }
            | Expr::RLike {
                expr: text,
                pattern,
                ..
            } => {
                self.literal(pattern, "a pattern");
                self.expr(text, next);
            }
            Expr::Cast {
                expr: inner,
                format,
                ..
            } => {
                if format.is_some() {
                    let help = "use date(x, '%d/%m/%Y') or strftime(x, '%d/%m/%Y')";
                    self.refuse(expr, "a cast takes no format", help);
                }
                self.expr(inner, next);
            }
            Expr::Position { expr, r#in } => self.all([&**expr, r#in], next),
            Expr::Substring {
                expr: text,
                substring_from,
                substring_for,
                ..
            } => {
                self.expr(text, next);
                self.all(substring_from.as_deref(), next);
                self.all(substring_for.as_deref(), next);
            }
            Expr::Trim {
                expr: text,
                trim_what,
                trim_characters,
                ..
            } => {
                if trim_characters.is_some() {
                    let help = "write trim(both '…' from x)";
                    self.refuse(expr, "trim takes one argument", help);
                }
                if let Some(what) = trim_what {
                    self.literal(what, "what trim removes");
                }
                self.expr(text, next);
            }
            Expr::Case {
                operand,
                conditions,
                else_result,
                ..
            } => {
                self.all(operand.as_deref(), next);
                // Polars nests each branch in the one before
                for (branch, when) in conditions.iter().enumerate() {
                    self.all([&when.condition, &when.result], next + branch);
                }
                self.all(else_result.as_deref(), next + conditions.len());
            }
            Expr::CompoundFieldAccess { root, access_chain } => match access_chain.as_slice() {
                [AccessExpr::Subscript(Subscript::Index { index })] => {
                    self.all([&**root, index], next);
                }
                _ => self.refuse(expr, "only x[n] reaches into a list", ""),
            },
            Expr::CompoundIdentifier(parts) => {
                let names: Vec<_> = parts.iter().map(|part| part.value.as_str()).collect();
                let help = format!(
                    "there is one table: write the column alone, or \"{}\" when its name has a dot",
                    names.join(".")
                );
                self.refuse(expr, "columns have no table name", &help);
            }
            Expr::Function(function) => self.function(expr, function, next),
            Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
                let help = "compute it in the export's query, or list the values: x in ('a', 'b')";
                self.refuse(
                    expr,
                    "subqueries are not possible: a row sees itself alone",
                    help,
                );
            }
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => {
                self.refuse(expr, "* is no value", "name the columns");
            }
            other => {
                let message = format!("this is not supported in a mapping: {}", quoted(other));
                self.refuse(other, message, "");
            }
        }
    }

    fn column(&mut self, ident: &Ident) {
        let name = ident.value.as_str();
        let range = range_of(self.sql, ident.span);
        if self.schema.get(name).is_none() {
            let known: Vec<_> = self
                .schema
                .columns()
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            let near = suggest::nearest(name, known.iter().copied());
            let help = match (near, ident.quote_style) {
                (None, Some('"')) => Some(format!(
                    "text stands in single quotes: '{name}'; double quotes name a column"
                )),
                _ => suggest::help(name, "column", &known),
            };
            self.fault(range, format!("unknown column \"{name}\""), help);
        } else if name == "*" || (name.starts_with('^') && name.ends_with('$')) {
            // Polars takes such names for patterns over all columns
            let message = format!("the column \"{name}\" cannot be used in sql");
            let help = "use it with column, or rename it in the export";
            self.fault(range, message, Some(help.to_owned()));
        } else if !self.columns.iter().any(|column| column == name) {
            self.columns.push(name.to_owned());
        }
    }

    fn operator(&mut self, expr: &Expr, op: &Op, right: &Expr) {
        match op {
            Op::And
            | Op::Or
            | Op::Xor
            | Op::Eq
            | Op::NotEq
            | Op::Lt
            | Op::LtEq
            | Op::Gt
            | Op::GtEq
            | Op::Spaceship
            | Op::Plus
            | Op::Minus
            | Op::Multiply
            | Op::Divide
            | Op::DuckIntegerDivide
            | Op::Modulo
            | Op::StringConcat
            | Op::PGStartsWith => {}
            Op::PGRegexMatch
            | Op::PGRegexNotMatch
            | Op::PGRegexIMatch
            | Op::PGRegexNotIMatch
            | Op::PGLikeMatch
            | Op::PGNotLikeMatch
            | Op::PGILikeMatch
            | Op::PGNotILikeMatch => self.literal(right, "a pattern"),
            other => self.refuse(expr, format!("the operator {other} is not supported"), ""),
        }
    }

    /// Refuses anything but a literal.
    fn literal(&mut self, expr: &Expr, what: &str) {
        let bare = match expr {
            Expr::UnaryOp { expr, .. } => expr,
            other => other,
        };
        if !matches!(bare, Expr::Value(_)) {
            let help = "write it in single quotes; it cannot come from a column";
            self.refuse(expr, format!("{what} must be a literal"), help);
        }
    }

    fn function(&mut self, expr: &Expr, call: &Function, depth: usize) {
        let name = call.name.to_string().to_lowercase();
        let Some(function) = self.known(expr, &name) else {
            return;
        };
        if call.over.is_some() {
            let help = "compute it in the export's query";
            self.refuse(
                expr,
                "OVER looks at other rows; an expression sees one row",
                help,
            );
            return;
        }
        let FunctionArguments::List(list) = &call.args else {
            self.refuse(expr, format!("{name} needs its arguments in brackets"), "");
            return;
        };
        let plain = list.duplicate_treatment.is_none()
            && list.clauses.is_empty()
            && call.filter.is_none()
            && call.null_treatment.is_none()
            && call.within_group.is_empty()
            && matches!(call.parameters, FunctionArguments::None);
        let arguments: Option<Vec<_>> = list.args.iter().map(argument).collect();
        let (true, Some(arguments)) = (plain, arguments) else {
            self.refuse(expr, format!("{name} takes plain arguments only"), "");
            return;
        };
        if !function.arguments.contains(&arguments.len()) {
            let message = format!("{name} takes {}, not {}", takes(function), arguments.len());
            let help = match name.as_str() {
                "date" => "give the form of the text: date(x, '%Y-%m-%d')",
                "timestamp" | "datetime" => {
                    "give the form of the text: timestamp(x, '%Y-%m-%d %H:%M:%S')"
                }
                _ => "",
            };
            self.refuse(expr, message, help);
        }
        for &index in function.literals {
            if let Some(argument) = arguments.get(index) {
                self.literal(argument, &format!("argument {} of {name}", index + 1));
            }
        }
        if matches!(
            name.as_str(),
            "date" | "datetime" | "timestamp" | "strptime" | "strftime"
        ) && let Some(format) = arguments.get(1)
        {
            self.format(format);
        }
        self.all(arguments, depth);
    }

    fn known(&mut self, expr: &Expr, name: &str) -> Option<&'static functions::Function> {
        let (message, help) = match functions::find(name) {
            Ok(function) => return Some(function),
            Err(Refusal::Aggregate) => (
                format!("{name} looks at several rows; an expression sees one row"),
                Some(match name {
                    "min" => "least(a, b) gives the smallest of several columns".to_owned(),
                    "max" => "greatest(a, b) gives the largest of several columns".to_owned(),
                    _ => "compute it in the export's query".to_owned(),
                }),
            ),
            Err(Refusal::Window) => (
                format!("{name} looks at other rows; an expression sees one row"),
                Some("compute it in the export's query".to_owned()),
            ),
            Err(Refusal::Unsteady) => (
                format!("{name} gives another answer each time; a row must always map the same"),
                Some("put the value into the export, or write it as a literal".to_owned()),
            ),
            Err(Refusal::Unknown) => (
                format!("unknown function {name}"),
                suggest::nearest(name, functions::names())
                    .map(|nearest| format!("did you mean {nearest}?")),
            ),
        };
        self.fault(self.at(expr), message, help);
        None
    }

    /// Refuses a format that strftime does not know.
    fn format(&mut self, format: &Expr) {
        if let Expr::Value(value) = format
            && let Value::SingleQuotedString(pattern) = &value.value
            && StrftimeItems::new(pattern).parse().is_err()
        {
            let help = "formats look like '%d/%m/%Y', see chrono's strftime documentation";
            self.refuse(format, format!("not a strftime format: '{pattern}'"), help);
        }
    }
}

/// The expression that a plain argument is.
fn argument(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

/// How many arguments, in words.
fn takes(function: &functions::Function) -> String {
    let (low, high) = (*function.arguments.start(), *function.arguments.end());
    match (low, high) {
        (1, 1) => "1 argument".to_owned(),
        (low, high) if low == high => format!("{low} arguments"),
        (low, high) if high > 9 => format!("{low} or more arguments"),
        (low, high) => format!("{low} to {high} arguments"),
    }
}

/// The beginning of an expression.
fn quoted(expr: &Expr) -> String {
    let text = expr.to_string();
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
