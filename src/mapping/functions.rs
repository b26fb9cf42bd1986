//! The SQL functions that expressions may call: those that see one row at a time and give the same answer always.

use std::ops::RangeInclusive;

/// A function that is allowed.
#[derive(Debug)]
pub(super) struct Function {
    /// Its name in lower case.
    pub(super) name: &'static str,
    /// How many arguments it takes.
    pub(super) arguments: RangeInclusive<usize>,
    /// Arguments (from 0) that must be literals: Polars takes no column there, or treats it differently when there
    /// is one row.
    pub(super) literals: &'static [usize],
}

const MANY: usize = 255;

macro_rules! functions {
    ($($name:literal $arguments:expr $(, literal $literal:literal)*;)+) => {
        &[$(Function { name: $name, arguments: $arguments, literals: &[$($literal),*] }),+]
    };
}

/// Every function that is allowed. `trim`, `substring`, `position`, `extract`, `ceil`, `floor` and casts are syntax
/// of their own.
pub(super) const ALLOWED: &[Function] = functions! {
    // text
    "lower" 1..=1;
    "upper" 1..=1;
    "length" 1..=1;
    "char_length" 1..=1;
    "character_length" 1..=1;
    "octet_length" 1..=1;
    "bit_length" 1..=1;
    "concat" 1..=MANY;
    "concat_ws" 2..=MANY, literal 0;
    "left" 2..=2;
    "right" 2..=2;
    "lpad" 2..=3, literal 1, literal 2;
    "rpad" 2..=3, literal 1, literal 2;
    "ltrim" 1..=2;
    "rtrim" 1..=2;
    "normalize" 1..=1;
    "regexp_like" 2..=3, literal 1, literal 2;
    "replace" 3..=3, literal 1, literal 2;
    "reverse" 1..=1;
    "split_part" 3..=3, literal 1, literal 2;
    "starts_with" 2..=2;
    "ends_with" 2..=2;
    "strpos" 2..=2;
    // conditions
    "coalesce" 1..=MANY;
    "ifnull" 2..=2;
    "nullif" 2..=2;
    "if" 3..=3;
    "greatest" 1..=MANY;
    "least" 1..=MANY;
    // numbers
    "abs" 1..=1;
    "cbrt" 1..=1;
    "ceiling" 1..=1;
    "div" 2..=2;
    "exp" 1..=1;
    "ln" 1..=1;
    "log" 2..=2;
    "log10" 1..=1;
    "log1p" 1..=1;
    "log2" 1..=1;
    "mod" 2..=2;
    "pow" 2..=2;
    "power" 2..=2;
    "round" 1..=2, literal 1;
    "sign" 1..=1;
    "sqrt" 1..=1;
    "trunc" 1..=2, literal 1;
    "truncate" 1..=2, literal 1;
    // dates; without a format Polars would guess one from the rows it happens to see
    "date" 2..=2, literal 1;
    "datetime" 2..=2, literal 1;
    "timestamp" 2..=2, literal 1;
    "strptime" 2..=2, literal 1;
    "date_part" 2..=2, literal 0;
    "strftime" 2..=2, literal 1;
    // lists
    "array_contains" 2..=2;
    "array_get" 2..=2;
    "array_length" 1..=1;
    "array_to_string" 2..=2, literal 1;
};

/// Names of syntax that looks like a function, for suggestions.
const SYNTAX: [&str; 9] = [
    "trim",
    "substr",
    "substring",
    "position",
    "extract",
    "ceil",
    "floor",
    "cast",
    "try_cast",
];

/// Functions over several rows.
const AGGREGATES: [&str; 33] = [
    "array_agg",
    "avg",
    "bit_and_agg",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar",
    "covar_pop",
    "covar_samp",
    "every",
    "first",
    "group_concat",
    "last",
    "listagg",
    "max",
    "mean",
    "median",
    "min",
    "mode",
    "quantile_cont",
    "quantile_disc",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "stdev",
    "stdev_samp",
    "string_agg",
    "sum",
    "total",
    "unnest",
    "var_samp",
    "variance",
];

/// Functions of a row's neighbours or position.
const WINDOWS: [&str; 16] = [
    "cume_dist",
    "cum_count",
    "cum_max",
    "cum_min",
    "cum_sum",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
    "shift",
];

/// Functions of the clock or of chance.
const UNSTEADY: [&str; 18] = [
    "clock_timestamp",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "gen_random_uuid",
    "getdate",
    "localtime",
    "localtimestamp",
    "newid",
    "now",
    "rand",
    "random",
    "sysdate",
    "today",
    "transaction_timestamp",
    "uuid",
    "uuid_generate_v4",
];

/// Why a function is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It looks at several rows.
    Aggregate,
    /// It looks at a row's neighbours.
    Window,
    /// It gives another answer the next time.
    Unsteady,
    /// It is not known.
    Unknown,
}

/// The allowed function of this name (in lower case), or why there is none.
pub(super) fn find(name: &str) -> Result<&'static Function, Refusal> {
    if let Some(function) = ALLOWED.iter().find(|function| function.name == name) {
        return Ok(function);
    }
    Err(if AGGREGATES.contains(&name) {
        Refusal::Aggregate
    } else if WINDOWS.contains(&name) {
        Refusal::Window
    } else if UNSTEADY.contains(&name) {
        Refusal::Unsteady
    } else {
        Refusal::Unknown
    })
}

/// Every name that can be called, for suggestions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ALLOWED.iter().map(|function| function.name).chain(SYNTAX)
}
