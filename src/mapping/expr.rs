//! SQL expression → Polars expression, and its evaluation over a chunk.
//!
//! A strict operation (`cast`, `date`) that fails for one row fails Polars' whole evaluation. So expressions are
//! evaluated in a relaxed form, in which such an operation gives null, beside a condition that says for which rows it
//! failed. The condition follows the branches of `case`, so that a guarded cast fails no row it does not concern.
//! What can still fail is isolated by halving the chunk.

use crate::mapping::sql;
use crate::mapping::syntax::SqlFault;
use crate::source::chunk::SourceSchema;
use polars::chunked_array::cast::CastOptions;
use polars::prelude::{
    BooleanChunked, Column, DataFrame, DataType, Expr, FunctionExpr, IntoLazy, PolarsResult,
    Schema, StringFunction, StrptimeOptions, lit, when,
};
use polars::sql::sql_expr;
use std::sync::Arc;

/// How dates in typed literals are written.
const ISO: &str = "%Y-%m-%d";

/// An expression that may be evaluated.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    /// Gives null where a strict operation fails.
    relaxed: Expr,
    /// True for rows for which one fails; `None` when there is none.
    failed: Option<Expr>,
    /// The type of its values.
    pub(super) kind: DataType,
    /// The columns it uses.
    pub(super) columns: Vec<String>,
}

/// The values of an expression over a chunk.
#[derive(Debug)]
pub(super) struct Evaluated {
    /// One value for each row.
    pub(super) values: Column,
    /// Rows for which the expression cannot be computed; empty when there are none.
    pub(super) failed: Vec<bool>,
}

impl Evaluated {
    /// Whether the expression cannot be computed for this row.
    pub(super) fn has_failed(&self, row: usize) -> bool {
        self.failed.get(row).copied().unwrap_or(false)
    }
}

/// Compiles an expression over columns of these types.
pub(super) fn compile(text: &str, schema: &SourceSchema) -> Result<Expression, Vec<SqlFault>> {
    let columns = sql::check(text, schema)?;
    let whole = |message: String, help: Option<&str>| {
        vec![SqlFault {
            range: 0..text.len(),
            message,
            help: help.map(str::to_owned),
        }]
    };
    let types: Schema = schema
        .columns()
        .iter()
        .map(|(name, kind)| (name.as_str().into(), kind.clone()))
        .collect();
    let parsed = sql_expr(text).map_err(|error| whole(first_line(&error), None))?;
    let (relaxed, failed) = relax(parsed, &types)
        .map_err(|refusal| whole(refusal.message.to_owned(), Some(refusal.help)))?;
    let kind = relaxed
        .to_field(&types)
        .map_err(|error| whole(first_line(&error), type_help(&error)))?
        .dtype;
    let expression = Expression {
        relaxed,
        failed,
        kind,
        columns,
    };
    // what planning does not see (a bad regular expression, an impossible cast) shows when rows are computed
    for rows in [0, 2] {
        let frame = nulls(schema, rows).map_err(|error| whole(first_line(&error), None))?;
        select(&[&expression], &frame)
            .map_err(|error| whole(first_line(&error), type_help(&error)))?;
    }
    Ok(expression)
}

/// A frame of nulls.
fn nulls(schema: &SourceSchema, rows: usize) -> PolarsResult<DataFrame> {
    let columns = schema.columns().iter();
    let columns = columns
        .map(|(name, kind)| Column::full_null(name.as_str().into(), rows, kind))
        .collect();
    DataFrame::new(rows, columns)
}

/// The line of Polars' words that says what is wrong: the first, but for regular expressions.
fn first_line(error: &impl ToString) -> String {
    let text = error.to_string();
    let regex = text.lines().find_map(|line| line.strip_prefix("error: "));
    let line = match regex {
        Some(words) if text.contains("regex parse error") => words,
        _ => text.lines().next().unwrap_or_default(),
    };
    format!("the expression cannot be computed: {line}")
}

/// What to do about a mix of types.
fn type_help(error: &impl ToString) -> Option<&'static str> {
    let text = error.to_string();
    if text.contains("compare") && text.contains("date") {
        return Some("write dates as DATE '2026-01-31'; give text columns a type in [columns]");
    }
    ["dtype", "type", "conversion", "cast"]
        .iter()
        .any(|word| text.contains(word))
        .then_some("give the column another type in [columns], or use cast(x as varchar)")
}

/// Something that Polars takes and a mapping does not.
struct Refusal {
    message: &'static str,
    help: &'static str,
}

/// Polars would guess the form of the text, and says on standard error that it will not for long.
const GUESSED_DATE: Refusal = Refusal {
    message: "text cannot be cast to a date or time",
    help: "use date(x, '%Y-%m-%d') or timestamp(x, '%Y-%m-%d %H:%M:%S'), or give the column a type in \
           [columns]",
};

/// Polars panics.
const LIST_OPERATOR: Refusal = Refusal {
    message: "lists have no operators",
    help: "take one item with x[1], or make text of it with array_to_string(x, ';')",
};

/// The expression with null for what fails, and the condition under which something does.
fn relax(expr: Expr, types: &Schema) -> Result<(Expr, Option<Expr>), Refusal> {
    let has_type = |expr: &Expr, wanted: fn(&DataType) -> bool| {
        expr.to_field(types).is_ok_and(|field| wanted(&field.dtype))
    };
    Ok(match expr {
        Expr::Cast {
            expr: inner,
            dtype,
            options,
        } => {
            let target = dtype.as_literal();
            let temporal = target
                .is_some_and(|kind| kind.is_temporal() && !matches!(kind, DataType::Duration(_)));
            if temporal && has_type(&inner, DataType::is_string) {
                // DATE '2026-01-31' arrives as a cast
                return match (&*inner, target) {
                    (Expr::Literal(_), Some(DataType::Date)) => Ok((iso_date(&inner), None)),
                    _ => Err(GUESSED_DATE),
                };
            }
            let (inner, failed) = relax(Arc::unwrap_or_clone(inner), types)?;
            let strict = options == CastOptions::Strict;
            let relaxed = Expr::Cast {
                expr: Arc::new(inner.clone()),
                dtype,
                options: if strict {
                    CastOptions::NonStrict
                } else {
                    options
                },
            };
            let own = strict.then(|| lost(inner, &relaxed));
            (relaxed, either(failed, own))
        }
        Expr::Function {
            input,
            function:
                FunctionExpr::StringExpr(StringFunction::Strptime(
                    kind,
                    StrptimeOptions {
                        format,
                        strict: true,
                        exact,
                        cache,
                    },
                )),
        } if !matches!(input.first(), Some(Expr::Literal(_))) => {
            let (input, failed) = relax_all(input, types)?;
            let options = StrptimeOptions {
                format,
                strict: false,
                exact,
                cache,
            };
            let text = input.first().cloned();
            let relaxed = Expr::Function {
                input,
                function: FunctionExpr::StringExpr(StringFunction::Strptime(kind, options)),
            };
            let own = text.map(|text| lost(text, &relaxed));
            (relaxed, either(failed, own))
        }
        Expr::Function { input, function } => {
            let (input, failed) = relax_all(input, types)?;
            (Expr::Function { input, function }, failed)
        }
        Expr::BinaryExpr { left, right, .. }
            if has_type(&left, DataType::is_list) || has_type(&right, DataType::is_list) =>
        {
            return Err(LIST_OPERATOR);
        }
        Expr::BinaryExpr { left, op, right } => {
            let (left, left_failed) = relax(Arc::unwrap_or_clone(left), types)?;
            let (right, right_failed) = relax(Arc::unwrap_or_clone(right), types)?;
            let relaxed = Expr::BinaryExpr {
                left: Arc::new(left),
                op,
                right: Arc::new(right),
            };
            (relaxed, either(left_failed, right_failed))
        }
        Expr::Ternary {
            predicate,
            truthy,
            falsy,
        } => {
            let (predicate, failed) = relax(Arc::unwrap_or_clone(predicate), types)?;
            let (truthy, then_failed) = relax(Arc::unwrap_or_clone(truthy), types)?;
            let (falsy, else_failed) = relax(Arc::unwrap_or_clone(falsy), types)?;
            let branch = (then_failed.is_some() || else_failed.is_some()).then(|| {
                when(predicate.clone())
                    .then(then_failed.unwrap_or_else(|| lit(false)))
                    .otherwise(else_failed.unwrap_or_else(|| lit(false)))
            });
            let relaxed = when(predicate).then(truthy).otherwise(falsy);
            (relaxed, either(failed, branch))
        }
        other => (other, None),
    })
}

fn relax_all(exprs: Vec<Expr>, types: &Schema) -> Result<(Vec<Expr>, Option<Expr>), Refusal> {
    let mut failed = None;
    let mut relaxed = Vec::with_capacity(exprs.len());
    for expr in exprs {
        let (expr, own) = relax(expr, types)?;
        relaxed.push(expr);
        failed = either(failed, own);
    }
    Ok((relaxed, failed))
}

/// True where there was a value and there is none any more.
fn lost(before: Expr, after: &Expr) -> Expr {
    before.is_not_null().and(after.clone().is_null())
}

fn either(left: Option<Expr>, right: Option<Expr>) -> Option<Expr> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.or(right)),
        (left, right) => left.or(right),
    }
}

fn iso_date(literal: &Expr) -> Expr {
    literal.clone().str().to_date(StrptimeOptions {
        format: Some(ISO.into()),
        strict: true,
        exact: true,
        cache: false,
    })
}

/// The values of all expressions over the `rows` rows of a frame.
pub(super) fn evaluate(
    expressions: &[Expression],
    frame: &DataFrame,
    rows: usize,
) -> Vec<Evaluated> {
    if rows == 0 {
        let empty = |expression: &Expression| Evaluated {
            values: Column::full_null("".into(), 0, &expression.kind),
            failed: Vec::new(),
        };
        return expressions.iter().map(empty).collect();
    }
    let all: Vec<_> = expressions.iter().collect();
    select_rows(&all, frame, rows).unwrap_or_else(|_| {
        let each = expressions.iter();
        each.map(|expression| isolate(expression, frame, rows))
            .collect()
    })
}

/// The values of one expression, the rows that fail its evaluation being found by halving.
///
/// At most `2 × rows` evaluations, when every row fails.
fn isolate(expression: &Expression, frame: &DataFrame, rows: usize) -> Evaluated {
    if let Ok(mut evaluated) = select_rows(&[expression], frame, rows)
        && let Some(evaluated) = evaluated.pop()
    {
        return evaluated;
    }
    if rows == 1 {
        return Evaluated {
            values: Column::full_null("".into(), 1, &expression.kind),
            failed: vec![true],
        };
    }
    let (head, tail) = (rows / 2, rows - rows / 2);
    let left = isolate(expression, &frame.slice(0, head), head);
    let start = i64::try_from(head).unwrap_or(i64::MAX);
    let right = isolate(expression, &frame.slice(start, tail), tail);
    let failed = (0..rows)
        .map(|row| match row.checked_sub(head) {
            None => left.has_failed(row),
            Some(row) => right.has_failed(row),
        })
        .collect();
    let mut values = left.values;
    if values.append_owned(right.values).is_err() {
        // the halves have one type, so this is not reached; failing every row would still be truthful
        return Evaluated {
            values: Column::full_null("".into(), rows, &expression.kind),
            failed: vec![true; rows],
        };
    }
    Evaluated { values, failed }
}

/// Evaluates over at least two rows: Polars broadcasts a column of one, and some functions then follow other rules.
fn select_rows(
    expressions: &[&Expression],
    frame: &DataFrame,
    rows: usize,
) -> PolarsResult<Vec<Evaluated>> {
    if rows > 1 {
        return select(expressions, frame);
    }
    let mut evaluated = select(expressions, &frame.new_from_index(0, 2))?;
    for one in &mut evaluated {
        one.values = one.values.slice(0, 1);
        one.failed.truncate(1);
    }
    Ok(evaluated)
}

/// One lazy `select` of everything, on this thread: chunks are mapped beside each other already.
fn select(expressions: &[&Expression], frame: &DataFrame) -> PolarsResult<Vec<Evaluated>> {
    let rows = frame.height();
    let mut outputs = Vec::with_capacity(expressions.len() * 2);
    for (index, expression) in expressions.iter().enumerate() {
        outputs.push(expression.relaxed.clone().alias(format!("v{index}")));
        if let Some(failed) = &expression.failed {
            outputs.push(failed.clone().alias(format!("f{index}")));
        }
    }
    let result = frame.clone().lazy().select_seq(outputs).collect()?;
    // a literal is a column of one
    let full = |name: String| -> PolarsResult<Column> {
        let column = result.column(&name)?;
        Ok(if column.len() == rows {
            column.clone()
        } else {
            column.new_from_index(0, rows)
        })
    };
    let mut evaluated = Vec::with_capacity(expressions.len());
    for (index, expression) in expressions.iter().enumerate() {
        let failed = match expression.failed {
            Some(_) => mask(full(format!("f{index}"))?.bool()?),
            None => Vec::new(),
        };
        evaluated.push(Evaluated {
            values: full(format!("v{index}"))?,
            failed,
        });
    }
    Ok(evaluated)
}

/// The rows that are true; empty when there is none.
fn mask(failed: &BooleanChunked) -> Vec<bool> {
    if failed.any() {
        failed.iter().map(|failed| failed == Some(true)).collect()
    } else {
        Vec::new()
    }
}
