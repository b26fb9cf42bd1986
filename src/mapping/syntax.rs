//! SQL text → syntax tree, as Polars parses it, with places as bytes of the text.

use sqlparser::ast::Expr;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token};
use std::ops::Range;

/// Something in an expression that is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SqlFault {
    /// Where, in bytes of the SQL.
    pub(super) range: Range<usize>,
    /// What.
    pub(super) message: String,
    /// What to do about it.
    pub(super) help: Option<String>,
}

/// One expression and nothing after it.
pub(super) fn parse(sql: &str) -> Result<Expr, SqlFault> {
    let fault = |range, message: String, help: Option<&str>| SqlFault {
        range,
        message,
        help: help.map(str::to_owned),
    };
    let located = |error: ParserError| match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            let (message, range) = locate(sql, &message);
            fault(range, format!("SQL syntax: {message}"), None)
        }
        ParserError::RecursionLimitExceeded => {
            fault(0..sql.len(), "the expression nests too deeply".into(), None)
        }
    };
    let mut parser = Parser::new(&GenericDialect)
        .try_with_sql(sql)
        .map_err(located)?;
    if parser.peek_token().token == Token::EOF {
        return Err(fault(0..sql.len(), "the expression is empty".into(), None));
    }
    let expr = parser.parse_expr().map_err(located)?;
    let rest = parser.peek_token();
    if rest.token == Token::EOF {
        return Ok(expr);
    }
    let message = format!("SQL syntax: unexpected {} after the expression", rest.token);
    let help = "an expression computes one value; it has no alias and no clauses";
    Err(fault(range_of(sql, rest.span), message, Some(help)))
}

/// Splits `… at Line: 1, Column: 5` off a message of the parser.
fn locate<'m>(sql: &str, message: &'m str) -> (&'m str, Range<usize>) {
    let parts = message
        .rsplit_once(" at Line: ")
        .and_then(|(words, place)| {
            let (line, column) = place.split_once(", Column: ")?;
            let location = Location::new(line.parse().ok()?, column.trim().parse().ok()?);
            Some((words, location))
        });
    match parts {
        Some((words, location)) => {
            let start = offset(sql, location);
            let length = sql[start..].chars().next().map_or(0, char::len_utf8);
            (words, start..start + length)
        }
        None if message.ends_with("EOF") => (message, sql.len()..sql.len()),
        None => (message, 0..sql.len()),
    }
}

/// The byte at a line and column (characters, both from 1).
fn offset(sql: &str, location: Location) -> usize {
    let mut start = 0;
    for _ in 1..location.line {
        match sql[start..].find('\n') {
            Some(end) => start += end + 1,
            None => return sql.len(),
        }
    }
    let column = usize::try_from(location.column.saturating_sub(1)).unwrap_or(usize::MAX);
    let mut characters = sql[start..].char_indices();
    characters
        .nth(column)
        .map_or(sql.len(), |(at, _)| start + at)
}

/// The bytes of a place in the syntax tree; the whole expression where the parser kept none.
pub(super) fn range_of(sql: &str, span: Span) -> Range<usize> {
    if span.start.line == 0 {
        return 0..sql.len();
    }
    let start = offset(sql, span.start);
    start..offset(sql, span.end).max(start)
}
