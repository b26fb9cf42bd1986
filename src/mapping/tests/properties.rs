//! What holds for any input.

use super::{chunk, plan_for, text};
use crate::api::contract::Contract;
use crate::mapping::expr::{self, Expression};
use crate::mapping::{Emit, Known, Plan, References};
use crate::model::row::{Mapped, PreparedRow, RowId};
use crate::source::chunk::{BadRow, RowChunk, SourceSchema, render};
use polars::prelude::{Column, DataFrame, DataType, IntoColumn, NamedFrom, Series, TimeUnit};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Expressions of every allowed kind over `a` and `b` (text), `n` (integer), `x` (number), `d` (date), `t` (timestamp).
const EXPRESSIONS: &[&str] = &[
    "case when n > 2 then a when n < 0 then b else 'c' end",
    "case a when 'x' then 1 else n end",
    "concat_ws('-', a, b, n)",
    "concat(a, 'lit', b)",
    "a || b || 'z'",
    "coalesce(a, b, 'none')",
    "ifnull(b, a)",
    "nullif(a, b)",
    "if(n > 1, a, b)",
    "greatest(n, 3)",
    "least(x, n)",
    "cast(a as bigint)",
    "try_cast(a as int)",
    "cast(n as varchar)",
    "cast(x as bigint)",
    "case when a ~ '^[0-9]+$' then cast(a as bigint) end",
    "cast(a as double) > 1",
    "cast(n as smallint)",
    "cast(a as decimal(10, 2))",
    "round(x, 1)",
    "round(x)",
    "trunc(x)",
    "ceil(x)",
    "floor(x)",
    "abs(n)",
    "sign(x)",
    "sqrt(abs(x))",
    "power(x, 2)",
    "log(x, 2)",
    "ln(x)",
    "exp(x)",
    "mod(n, 3)",
    "n // 2",
    "n / 0",
    "n * 1000000000000 * n",
    "-n",
    "substr(a, 2)",
    "substr(a, n)",
    "substr(a, 1, n)",
    "substring(a from 2 for 2)",
    "left(a, n)",
    "right(a, n)",
    "left(a, 2)",
    "right(a, 2)",
    "lpad(a, 5, '0')",
    "rpad(a, 7)",
    "ltrim(a)",
    "rtrim(a, b)",
    "trim(a)",
    "trim(both 'x' from a)",
    "replace(a, 'x', 'yy')",
    "reverse(a)",
    "split_part(a, ' ', 2)",
    "split_part(a, ' ', -1)",
    "starts_with(a, b)",
    "ends_with(a, 'x')",
    "strpos(a, b)",
    "position('x' in a)",
    "regexp_like(a, '^[a-z]+$')",
    "regexp_like(a, 'X', 'i')",
    "a like '%x%'",
    "a ilike 'X%'",
    "a not like '_'",
    "a !~* 'x'",
    "a ^@ 'x'",
    "a in ('x', 'y', null)",
    "n in (1, 2)",
    "n not in (1, 2)",
    "n between 1 and 3",
    "a is distinct from b",
    "n is null or b is not null",
    "not (n > 1)",
    "upper(a)",
    "lower(b)",
    "length(a)",
    "octet_length(a)",
    "bit_length(a)",
    "normalize(a)",
    "date(a, '%d/%m/%Y')",
    "date(a, '%Y-%m-%d')",
    "timestamp(a, '%Y-%m-%d %H:%M')",
    "strptime(a, '%d/%m/%Y %H:%M')",
    "strftime(d, '%d.%m.%Y')",
    "strftime(t, '%H:%M')",
    "extract(year from d)",
    "date_part('month', t)",
    "extract(dow from d)",
    "extract(epoch from t)",
    "d > DATE '2020-01-01'",
    "d + interval '1 month'",
    "t - interval '2 hours'",
    "cast(t as date)",
    "cast(d as timestamp)",
    "t > TIMESTAMP '2020-01-01 00:00:00'",
    "array_length(l)",
    "array_to_string(l, '+')",
    "array_get(l, 1)",
    "l[2]",
    "array_contains(l, 'x')",
    "array_get(l, n)",
    "null",
    "'const'",
    "1 + 1",
];

fn cell() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        2 => Just(None),
        3 => prop::sample::select(vec![
            "", " ", "x", "xyz x", "7", "-3", "1.5", "31/01/2026", "2026-01-31", "2026-01-31 08:15", "ÄßÉ x",
            "99999999999999999999", "ana@example.com", "true", "\u{1F600}",
        ]).prop_map(|text| Some(text.to_owned())),
        1 => "\\PC{0,8}".prop_map(Some),
    ]
}

fn frame(rows: usize) -> impl Strategy<Value = Vec<Column>> {
    let texts = || prop::collection::vec(cell(), rows);
    let ints = prop::collection::vec(prop::option::of(prop_oneof![-4i64..6, any::<i64>()]), rows);
    let floats = prop::collection::vec(
        prop::option::of(prop_oneof![-4.0..4.0f64, any::<f64>()]),
        rows,
    );
    let days = prop::collection::vec(prop::option::of(-1_000i32..60_000), rows);
    let items = prop::collection::vec(prop::option::of(prop::collection::vec(cell(), 0..4)), rows);
    (texts(), texts(), ints, floats, days, items).prop_map(|(a, b, n, x, d, l)| {
        let ticks: Vec<_> = d
            .iter()
            .zip(&n)
            .map(|(d, n)| Some(i64::from((*d)?) * 86_400_000_000 + n.unwrap_or(0) % 1_000_000_000))
            .collect();
        let lists: Vec<_> = l
            .into_iter()
            .map(|l| l.map(|l| Series::new("".into(), l)))
            .collect();
        let lists = Series::new("l".into(), lists)
            .cast(&DataType::List(Box::new(DataType::String)))
            .unwrap();
        let time = DataType::Datetime(TimeUnit::Microseconds, None);
        vec![
            Series::new("a".into(), a).into_column(),
            Series::new("b".into(), b).into_column(),
            Series::new("n".into(), n).into_column(),
            Series::new("x".into(), x).into_column(),
            Series::new("d".into(), d)
                .cast(&DataType::Date)
                .unwrap()
                .into_column(),
            Series::new("t".into(), ticks)
                .cast(&time)
                .unwrap()
                .into_column(),
            lists.into_column(),
        ]
    })
}

/// All expressions, compiled once.
static COMPILED: LazyLock<Vec<Expression>> = LazyLock::new(|| {
    let columns = sample().into_iter();
    let schema = columns.map(|column| (column.name().to_string(), column.dtype().clone()));
    let schema = SourceSchema::new(schema.collect());
    let compile = |text: &&str| {
        expr::compile(text, &schema).unwrap_or_else(|faults| panic!("{text}: {faults:?}"))
    };
    EXPRESSIONS.iter().map(compile).collect()
});

/// What each expression gives for each row: its text, or that it fails.
fn evaluated(frame: &DataFrame) -> Vec<Vec<Result<Option<String>, ()>>> {
    let rows = frame.height();
    let each = expr::evaluate(&COMPILED, frame, rows).into_iter();
    each.map(|evaluated| {
        let texts = render(&evaluated.values);
        assert_eq!(texts.len(), rows);
        let texts = texts.iter().enumerate();
        texts
            .map(|(row, text)| {
                if evaluated.has_failed(row) {
                    Err(())
                } else {
                    Ok(text.map(str::to_owned))
                }
            })
            .collect()
    })
    .collect()
}

/// An empty frame with the types of [`frame`].
fn sample() -> Vec<Column> {
    let types = [
        ("a", DataType::String),
        ("b", DataType::String),
        ("n", DataType::Int64),
        ("x", DataType::Float64),
        ("d", DataType::Date),
        ("t", DataType::Datetime(TimeUnit::Microseconds, None)),
        ("l", DataType::List(Box::new(DataType::String))),
    ];
    types
        .map(|(name, kind)| Column::new_empty(name.into(), &kind))
        .to_vec()
}

/// The rows of a chunk cut at these places.
fn cut(chunk: &RowChunk, cuts: &[usize]) -> Vec<RowChunk> {
    let rows = chunk.ids.len();
    let mut ends: Vec<_> = cuts
        .iter()
        .map(|cut| cut % (rows + 1))
        .chain([rows])
        .collect();
    ends.sort_unstable();
    let starts = std::iter::once(0).chain(ends.clone());
    starts
        .zip(ends.clone())
        .map(|(start, end)| RowChunk {
            file: chunk.file,
            ids: chunk.ids[start..end].to_vec(),
            lines: chunk.lines[start..end].to_vec(),
            frame: chunk
                .frame
                .slice(i64::try_from(start).unwrap(), end - start),
            bad: Vec::new(),
        })
        .collect()
}

fn finish(plan: &Plan, chunk: &RowChunk) -> Mapped {
    plan.draft(chunk)
        .finish(&References::UNCHECKED, Emit::Payloads)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_chunking_gives_the_same_values(
        columns in (1usize..24).prop_flat_map(frame),
        cuts in prop::collection::vec(0usize..24, 0..6),
    ) {
        let chunk = chunk(columns);
        let whole = evaluated(&chunk.frame);
        let mut parts = vec![Vec::new(); EXPRESSIONS.len()];
        for part in cut(&chunk, &cuts) {
            for (expression, values) in evaluated(&part.frame).into_iter().enumerate() {
                parts[expression].extend(values);
            }
        }
        for (number, expression) in EXPRESSIONS.iter().enumerate() {
            prop_assert_eq!(&whole[number], &parts[number], "{}", expression);
        }
    }
}

/// A mapping of text columns with a value of each type, and what it must give for a row that is not refused.
const TYPED: &str = r#"
entity = "customer"
key_detail = "Key"
[fields]
email = "mail"
display_name = "name"
[details]
Text = "name"
"Mul\"ti" = { column = "many", type = "multiselect", split = ",", empty = "clear" }
Number = { column = "number", type = "number" }
Date = { column = "date", type = "date" }
Phone = { column = "phone", type = "phone", region = "DE" }
Url = { column = "url", type = "url" }
Flag = { column = "flag", type = "boolean" }
[organizations]
names = { column = "many", split = "," }
on_missing = "skip"
"#;

const COLUMNS: [&str; 8] = [
    "mail", "name", "many", "number", "date", "phone", "url", "flag",
];

/// The payload of a row, built the slow way.
fn oracle(cells: &[String], ids: &[(String, String)]) -> Value {
    let [mail, name, many, number, date, _, url, flag] = cells else {
        panic!()
    };
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut details = Vec::new();
    let mut push = |name: &str, values: Option<Vec<String>>| {
        if let Some(values) = values {
            details.push(json!({"name": name, "values": values}));
        }
    };
    let one = |text: Option<String>| text.map(|text| vec![text]);
    push("Text", one(filled(name)));
    let mut parts: Vec<String> = Vec::new();
    for part in many
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        if !parts.iter().any(|known| known == part) {
            parts.push(part.to_owned());
        }
    }
    push("Mul\"ti", Some(parts.clone()));
    push("Number", one(filled(number.trim().trim_start_matches('+'))));
    push("Date", one(filled(date.trim())));
    push("Url", one(filled(url.trim())));
    let flag = flag.trim().to_lowercase();
    let flag = filled(&flag).map(|flag| {
        ["true", "yes", "1", "t", "y"]
            .contains(&flag.as_str())
            .to_string()
    });
    push("Flag", one(flag));
    push("Key", Some(vec![mail.trim().to_owned()]));
    let mut payload = json!({"email": mail.trim(), "details": details});
    if let Some(name) = filled(name.trim()) {
        payload["displayName"] = name.into();
    }
    let mut seen = Vec::new();
    let mut found = Vec::new();
    for part in parts {
        let folded = crate::api::fold::name(&part).into_owned();
        if seen.contains(&folded) {
            continue;
        }
        found.extend(
            ids.iter()
                .filter(|(name, _)| *name == folded)
                .map(|(_, id)| id.clone()),
        );
        seen.push(folded);
    }
    if !found.is_empty() {
        payload["associateOrganizations"] = json!({"organizationIds": found});
    }
    json!({"operationType": "UPSERT", "payload": payload})
}

fn typed_cell(column: usize) -> BoxedStrategy<String> {
    let good: &[&str] = match COLUMNS[column] {
        "mail" => &[
            "ana@example.com",
            " Bo@Example.com",
            "jürgen@bücher.example",
        ],
        "name" => &["Ana", " \"q\" \\ \u{8}\u{2028}\n", "株式会社", ""],
        "many" => &["a,b", "a, A ,a", ",", "Ä,ä", "x,\"y\""],
        "number" => &["1", "+1.50", "-0", ""],
        "date" => &["2026-01-31", ""],
        "url" => &["https://example.com/?a=b&c", ""],
        "flag" => &["Yes", "0", ""],
        _ => &[""],
    };
    let good: Vec<String> = good.iter().map(|text| (*text).to_owned()).collect();
    prop_oneof![
        12 => prop::sample::select(good),
        1 => ".{0,12}",
        1 => any::<Vec<char>>().prop_map(|chars| chars.into_iter().take(8).collect()),
    ]
    .boxed()
}

fn typed_row() -> impl Strategy<Value = Vec<String>> {
    let cells: Vec<_> = (0..COLUMNS.len()).map(typed_cell).collect();
    cells
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_row_is_in_one_list_and_every_payload_is_the_json_it_should_be(
        rows in prop::collection::vec(typed_row(), 0..12),
        bad in prop::collection::btree_set(0u64..40, 0..6),
        cuts in prop::collection::vec(0usize..12, 0..4),
    ) {
        let columns: Vec<_> = COLUMNS
            .iter()
            .enumerate()
            .map(|(number, name)| {
                let cells: Vec<&str> = rows.iter().map(|row| row[number].as_str()).collect();
                Series::new((*name).into(), cells).into_column()
            })
            .collect();
        let plan = plan_for(TYPED, &columns);
        let mut chunk = chunk(columns);
        // bad records take some of the numbers, rows the rest
        let free = (0u64..).filter(|id| !bad.contains(id));
        chunk.ids = free.take(rows.len()).map(RowId).collect();
        chunk.bad = bad
            .iter()
            .map(|row| BadRow {
                row: RowId(*row),
                line: None,
                code: crate::model::code::Code::EncodingInvalid,
                message: String::new(),
            })
            .collect();
        let ids = [("a", "1"), ("ä", "2")].map(|(name, id)| (name.to_owned(), id.to_owned()));
        let references = References {
            organizations: Known::Resolved(ids.iter().cloned().collect()),
            products: Known::Unchecked,
        };
        let mapped = plan.draft(&chunk).finish(&references, Emit::Payloads);
        let mut parts = Mapped::default();
        for part in cut(&chunk, &cuts) {
            let part = plan.draft(&part).finish(&references, Emit::Payloads);
            parts.rows.extend(part.rows);
            parts.rejected.extend(part.rejected);
        }
        prop_assert_eq!(&mapped.rows, &parts.rows);
        let readable = mapped.rejected.iter().filter(|row| !bad.contains(&row.row.id.0));
        prop_assert!(readable.eq(&parts.rejected));
        let sent: Vec<_> = mapped.rows.iter().map(|row| row.row.id).collect();
        let refused: Vec<_> = mapped.rejected.iter().map(|row| row.row.id).collect();
        prop_assert!(sent.is_sorted() && refused.is_sorted());
        let mut all: Vec<_> = sent.iter().chain(&refused).copied().collect();
        all.sort_unstable();
        let mut expected: Vec<_> = chunk.ids.iter().copied().chain(bad.iter().copied().map(RowId)).collect();
        expected.sort_unstable();
        prop_assert_eq!(all, expected);
        prop_assert!(mapped.rejected.iter().all(|row| !row.reasons.is_empty()));
        for row in &mapped.rows {
            let index = chunk.ids.iter().position(|id| *id == row.row.id).unwrap();
            if rows[index][5].trim().is_empty() {
                check(row, &rows[index], &ids)?;
            }
        }
    }

    #[test]
    fn no_cell_makes_a_cast_or_a_check_panic(cells in prop::collection::vec(any::<String>(), 1..8)) {
        let columns = vec![
            Series::new("c".into(), cells.clone()).into_column(),
            Series::new("e".into(), cells).into_column(),
            text("k", &["k"]).new_from_index(0, 1),
        ];
        let rows = columns[0].len();
        let columns: Vec<_> = columns
            .into_iter()
            .map(|column| if column.len() == rows { column } else { column.new_from_index(0, rows) })
            .collect();
        for kind in ["text", "integer", "number", "boolean", "date", "timestamp"] {
            let mapping = format!(
                "entity = \"customer\"\nkey = \"k\"\n[columns]\nc = \"{kind}\"\n[fields]\nemail = \"e\"\n\
                 [details]\nC = \"c\"\nP = {{ column = \"e\", type = \"phone\", region = \"US\" }}\n"
            );
            let plan = plan_for(&mapping, &columns);
            let mapped = finish(&plan, &chunk(columns.clone()));
            prop_assert_eq!(mapped.rows.len() + mapped.rejected.len(), rows);
        }
    }
}

fn check(
    row: &PreparedRow,
    cells: &[String],
    ids: &[(String, String)],
) -> Result<(), TestCaseError> {
    let item: Value = serde_json::from_slice(&row.item)
        .map_err(|error| TestCaseError::fail(format!("{error}: {}", row.item.as_str())))?;
    // dates and numbers from arbitrary text have forms that the oracle does not know
    let plain = |text: &str| text.trim().is_empty() || text.trim().len() == 10;
    if plain(&cells[4]) {
        prop_assert_eq!(&item, &oracle(cells, ids));
    }
    let keys = row.details.count_ones() as usize;
    prop_assert_eq!(
        item["payload"]["details"].as_array().map_or(0, Vec::len),
        keys
    );
    Ok(())
}

/// Mappings of the other families and entities, for [`no_mapping_makes_compiling_panic`].
const OTHERS: [&str; 2] = [
    r#"
entity = "organization"
api    = "details"
verb   = "patch"
key_detail = "Key"
key    = "a"
[fields]
id = "a"
[details]
A = { column = "b", verb = "update", empty = "clear" }
B = { verb = "delete" }
"#,
    r#"
entity = "detail-field"
[fields]
of      = { value = "customer" }
name    = "a"
type    = { column = "b", map = { x = "TEXT" }, default = "SELECT" }
options = { column = "b", split = ";" }
"#,
];

/// A mapping with every part, for [`no_mapping_makes_compiling_panic`].
const WHOLE: &str = r#"
entity = "customer"
operation = "upsert"
key = "a"
key_detail = "Id"
[columns]
b = "integer"
d = { type = "date", format = "%d/%m/%Y" }
[fields]
email = { sql = "lower(trim(a))" }
display_name = { sql = '''concat_ws(' ', a, substr(a, 1, 2))''', min_length = 1, max_length = 20 }
[details]
S = { column = "a", type = "select", map = { x = "X" }, default = "X", options = ["X", "Y"] }
D = { sql = "case when n > 1 then date(a, '%d/%m/%Y') else DATE '2020-01-01' end", type = "date" }
P = { value = "+4930123456", type = "phone", region = "DE" }
[organizations]
names = { column = "l", split = ";" }
on_missing = "skip"
[rules]
R = "cast(a as int) + n > 5 or a ~ '^x' or x between 1 and 2"
"#;

/// Words of which expressions are made.
const WORDS: &[&str] = &[
    "a",
    "b",
    "n",
    "x",
    "d",
    "t",
    "l",
    "\"a\"",
    "'x'",
    "''",
    "1",
    "-1",
    "2.5",
    "0",
    "null",
    "true",
    "(",
    ")",
    ",",
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "||",
    "=",
    "<",
    ">=",
    "~",
    "and",
    "or",
    "not",
    "is null",
    "in (",
    "between",
    "like",
    "case when",
    "then",
    "else",
    "end",
    "cast(",
    "as int)",
    "as varchar)",
    "::date",
    "lower(",
    "concat_ws(",
    "concat(",
    "substr(",
    "left(",
    "right(",
    "round(",
    "date(",
    "'%d/%m/%Y'",
    "strftime(",
    "extract(year from",
    "coalesce(",
    "nullif(",
    "if(",
    "greatest(",
    "lpad(",
    "split_part(",
    "regexp_like(",
    "replace(",
    "interval '1 day'",
    "DATE '2020-01-01'",
    "array_get(",
    "[1]",
    "trim(",
    "position(",
    "sqrt(",
    "pow(",
    "mod(",
    ".",
    ";",
    "over ()",
    "array[",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_mapping_makes_compiling_panic(
        whole in prop::sample::select(vec![WHOLE, OTHERS[0], OTHERS[1]]),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..9, "[\\PC\n]{0,3}"), 1..4),
    ) {
        let mut mapping: Vec<char> = whole.chars().collect();
        for (at, length, text) in edits {
            let start = at.index(mapping.len());
            let end = (start + length).min(mapping.len());
            mapping.splice(start..end, text.chars());
        }
        let text: String = mapping.into_iter().collect();
        let columns = sample().into_iter();
        let schema = columns.map(|column| (column.name().to_string(), column.dtype().clone()));
        let schema = SourceSchema::new(schema.collect());
        let faults = match super::parse(&text) {
            Ok(file) => Plan::compile(&file, &schema, &Contract::default()).err(),
            Err(faults) => Some(faults),
        };
        if let Some(faults) = faults {
            prop_assert!(faults.len() > 0);
            prop_assert!(faults.to_string().starts_with("error: "));
        }
    }

    #[test]
    fn no_expression_makes_compiling_or_computing_panic(
        words in prop::collection::vec(prop::sample::select(WORDS), 1..10),
        function in prop::sample::select(EXPRESSIONS),
        columns in frame(3),
    ) {
        let schema = columns.iter().map(|column| (column.name().to_string(), column.dtype().clone()));
        let schema = SourceSchema::new(schema.collect());
        let frame = DataFrame::new(3, columns).unwrap();
        for text in [words.join(" "), format!("coalesce({function}, {})", words.join(" ")), function.replace(" n", " x").replace("a,", "n,")] {
            if let Ok(expression) = expr::compile(&text, &schema) {
                let evaluated = expr::evaluate(&[expression], &frame, 3);
                prop_assert_eq!(evaluated[0].values.len(), 3);
            }
        }
    }
}
