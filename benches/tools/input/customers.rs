//! Made-up customers: 15 columns, every row sound and every key new. Phone numbers are all different, the hardest case.

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::FileWriter;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

/// Rows of a record batch; a Parquet row group has four of them.
const BATCH: u64 = 32_768;
const FIRST: &[&str] = &[
    "Ann", "Björn", "Chloé", "Dan", "Eve", "Ferit", "Grace", "Hana",
];
const LAST: &[&str] = &["Smith", "Müller", "Nguyen", "García", "Kim", "Ó Briain"];
const COUNTRIES: &[&str] = &["gb", "us", "de", "fr", "jp", "br"];
const LANGUAGES: &[&str] = &["en", "de", "fr", "es", "ja"];
const PLANS: &[&str] = &["free", "pro", "ent"];
const AREAS: &[u64] = &[202, 206, 212, 213, 305, 312, 404, 415, 503, 617, 702, 713];
const NOTES: &[&str] = &[
    "",
    "Prefers \"morning\" calls, never on Fridays; writes back within the hour, and asks for an invoice by post",
    "Moved from the old system in the second wave; the account manager has changed twice since then",
    "Renewal under discussion",
    "Uses the portal only, has never called, and wants to be told of maintenance two weeks ahead",
];
/// 2020-01-01, in days and seconds since 1970.
const EPOCH_DAY: i32 = 18_262;
const EPOCH: i64 = EPOCH_DAY as i64 * 86_400;

/// The first so many of them as `customers.csv`, `.parquet` and `.arrow` in a folder.
pub(crate) fn write(folder: &Path, rows: u64) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let open = |ending: &str| File::create(folder.join(format!("customers.{ending}")));
    let schema = batch(&[])?.schema();
    let mut csv = BufWriter::with_capacity(1 << 20, open("csv")?);
    let names: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
    writeln!(csv, "{}", joined(&names))?;
    let mut parquet = parquet(open("parquet")?, &schema)?;
    let mut arrow = FileWriter::try_new(BufWriter::new(open("arrow")?), &schema)?;
    for start in (0..rows).step_by(usize::try_from(BATCH)?) {
        let customers: Vec<_> = (start..rows.min(start + BATCH)).map(customer).collect();
        for customer in &customers {
            line(&mut csv, customer)?;
        }
        let batch = batch(&customers)?;
        parquet.write(&batch)?;
        arrow.write(&batch)?;
    }
    csv.flush()?;
    parquet.close()?;
    Ok(arrow.finish()?)
}

fn joined(names: &[&String]) -> String {
    let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
    names.join(",")
}

fn parquet(file: File, schema: &SchemaRef) -> Result<ArrowWriter<File>, Box<dyn Error>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(usize::try_from(4 * BATCH)?))
        .build();
    Ok(ArrowWriter::try_new(
        file,
        Arc::clone(schema),
        Some(properties),
    )?)
}

struct Customer {
    crm_id: String,
    first_name: &'static str,
    last_name: &'static str,
    email: String,
    phone: String,
    country: &'static str,
    language: &'static str,
    plan: &'static str,
    account: String,
    /// Seconds since 1970.
    created_at: i64,
    /// Days since 1970; never after `created_at`.
    signed_on: i32,
    /// In hundredths.
    mrr: i64,
    seats: i64,
    active: bool,
    notes: &'static str,
}

/// `SplitMix64` of the row's number: neighbours have nothing in common.
fn dice(row: u64, salt: u64) -> u64 {
    let z = (row ^ (salt << 48)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn below(row: u64, salt: u64, bound: u64) -> u64 {
    dice(row, salt) % bound
}

fn pick(row: u64, salt: u64, list: &[&'static str]) -> &'static str {
    // below the list's length
    list[usize::try_from(below(row, salt, list.len() as u64)).unwrap_or(0)]
}

fn signed(row: u64, salt: u64, bound: u64) -> i64 {
    i64::try_from(below(row, salt, bound)).unwrap_or(0)
}

fn customer(row: u64) -> Customer {
    let (first_name, last_name) = (pick(row, 1, FIRST), pick(row, 2, LAST));
    let day = i32::try_from(below(row, 3, 2_000)).unwrap_or(0);
    let mailbox = ["Info", "mail", "Contact.Person", "a.b-c"];
    Customer {
        crm_id: format!("C{row:08}"),
        first_name,
        last_name,
        email: format!("{}{row}@example.com", pick(row, 4, &mailbox)),
        phone: phone(row),
        country: pick(row, 5, COUNTRIES),
        language: pick(row, 6, LANGUAGES),
        plan: pick(row, 7, PLANS),
        account: format!("Account {:05} Trading Co. Ltd.", below(row, 8, 20_000)),
        created_at: EPOCH + i64::from(day) * 86_400 + signed(row, 9, 86_400),
        signed_on: EPOCH_DAY + day - i32::try_from(below(row, 10, 60)).unwrap_or(0),
        mrr: signed(row, 11, 300_000),
        seats: signed(row, 12, 500),
        active: below(row, 13, 10) > 0,
        notes: pick(row, 14, NOTES),
    }
}

/// A valid number that no other row has, as people write them: British, American, French or German, with or without the
/// country's code.
fn phone(row: u64) -> String {
    let number = row / 4;
    match row % 4 {
        0 => format!(
            "07{} {:06}",
            710 + number / 1_000_000 % 70,
            number % 1_000_000
        ),
        1 => {
            let area = AREAS[usize::try_from(number / 6_400_000).unwrap_or(0) % AREAS.len()];
            // never 211, 311 …, which are services
            let (hundreds, rest) = (number / 800_000 % 8, number / 10_000 % 80);
            format!(
                "+1 ({area}) {}{}-{:04}",
                2 + hundreds,
                20 + rest,
                number % 10_000
            )
        }
        2 => format!(
            "+33 6 {:02} {:06}",
            number / 1_000_000 % 100,
            number % 1_000_000
        ),
        _ => format!("+49 151 {:08}", number % 100_000_000),
    }
}

fn line(out: &mut impl Write, c: &Customer) -> std::io::Result<()> {
    write!(
        out,
        "{},{},{},{},{},{},{},{},{},",
        c.crm_id,
        c.first_name,
        c.last_name,
        c.email,
        c.phone,
        c.country,
        c.language,
        c.plan,
        c.account
    )?;
    let second = c.created_at.rem_euclid(86_400);
    let created_on = i32::try_from(c.created_at.div_euclid(86_400)).unwrap_or(0);
    write!(
        out,
        "{}T{:02}:{:02}:{:02}Z,{},",
        date(created_on),
        second / 3_600,
        second / 60 % 60,
        second % 60,
        date(c.signed_on)
    )?;
    let (whole, cents) = (c.mrr / 100, c.mrr % 100);
    write!(out, "{whole}.{cents:02},{},{},", c.seats, c.active)?;
    if c.notes.contains([',', '"']) {
        writeln!(out, "\"{}\"", c.notes.replace('"', "\"\""))
    } else {
        writeln!(out, "{}", c.notes)
    }
}

/// Days since 1970 as `2026-01-31`.
fn date(days: i32) -> String {
    // eras of 400 years that start on the first of March, so that the leap day ends a year
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year + era * 400 + i32::from(month <= 2);
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    format!("{year:04}-{month:02}-{day:02}")
}

fn batch(rows: &[Customer]) -> Result<RecordBatch, Box<dyn Error>> {
    fn text<'a>(rows: &'a [Customer], of: impl Fn(&'a Customer) -> &'a str) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
    }
    let notes = rows
        .iter()
        .map(|c| Some(c.notes).filter(|text| !text.is_empty()));
    let mrr = Decimal128Array::from_iter_values(rows.iter().map(|c| i128::from(c.mrr)));
    let created_at = rows.iter().map(|c| c.created_at * 1_000_000);
    let created_at = TimestampMicrosecondArray::from_iter_values(created_at).with_timezone("UTC");
    let signed_on = rows.iter().map(|c| c.signed_on);
    let active: BooleanArray = rows.iter().map(|c| Some(c.active)).collect();
    let columns: [(&str, ArrayRef); 15] = [
        ("crm_id", text(rows, |c| &c.crm_id)),
        ("first_name", text(rows, |c| c.first_name)),
        ("last_name", text(rows, |c| c.last_name)),
        ("email", text(rows, |c| &c.email)),
        ("phone", text(rows, |c| &c.phone)),
        ("country", text(rows, |c| c.country)),
        ("language", text(rows, |c| c.language)),
        ("plan", text(rows, |c| c.plan)),
        ("account", text(rows, |c| &c.account)),
        ("created_at", Arc::new(created_at)),
        (
            "signed_on",
            Arc::new(Date32Array::from_iter_values(signed_on)),
        ),
        ("mrr", Arc::new(mrr.with_precision_and_scale(12, 2)?)),
        (
            "seats",
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|c| c.seats))),
        ),
        ("active", Arc::new(active)),
        ("notes", Arc::new(notes.collect::<StringArray>())),
    ];
    let columns = columns.map(|(name, column)| (name, column, true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}
