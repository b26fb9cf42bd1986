//! Writes the samples: made-up customers, organizations and products as CSV, Parquet and Arrow, entitlements, the sandbox
//! site they load into, and what the loader should answer for each row.
//!
//! ```text
//! cargo run --example generate-samples -- [DIR] [--seed S]                        all of samples/, or of DIR
//! cargo run --example generate-samples -- DIR --rows N --only customers-csv       a large customers.csv in DIR
//! ```
//!
//! Guarantees: the same seed gives the same bytes; the three formats hold the same rows in the same order; expected
//! results follow from the planted faults. Must not know: the loader. A generator that asked the code under
//! test what to expect would test nothing, so nothing of the library is used here.

mod calendar;
mod customers;
mod deck;
mod entitlements;
mod expected;
mod failure;
mod organizations;
mod prng;
mod products;
mod site;
mod tables;
mod words;

use crate::customers::{BLOCK, Block};
use crate::entitlements::Entitlements;
use crate::expected::settle;
use crate::failure::Failure;
use crate::organizations::Organizations;
use crate::products::Products;
use crate::tables::{CsvFile, PLAIN};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The seed of the committed files.
const SEED: u64 = 20_260_131;

/// How to call the generator.
const USAGE: &str = "usage: generate-samples [DIR] [--seed S] [--rows N --only customers-csv]";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    /// Where the files go.
    directory: PathBuf,
    /// The seed of all randomness.
    seed: u64,
    /// Rows of the one large CSV; all samples when `None`.
    rows: Option<usize>,
}

fn main() -> ExitCode {
    let arguments = std::env::args().skip(1);
    match parse(arguments).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // nothing is left to do if even standard error is closed
            let _ = writeln!(std::io::stderr(), "generate-samples: {failure}");
            ExitCode::from(2)
        }
    }
}

/// Reads the command line.
fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, Failure> {
    let usage = || Failure(USAGE.to_owned());
    let (mut directory, mut seed, mut rows, mut only) = (None, SEED, None, false);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => seed = words.next().ok_or_else(usage)?.parse()?,
            "--rows" => rows = Some(words.next().ok_or_else(usage)?.parse()?),
            "--only" if words.next().as_deref() == Some("customers-csv") => only = true,
            word if !word.starts_with('-') && directory.is_none() => directory = Some(word.into()),
            _ => return Err(usage()),
        }
    }
    if only != rows.is_some() {
        return Err(usage());
    }
    Ok(Arguments {
        directory: directory.unwrap_or_else(|| "samples".into()),
        seed,
        rows,
    })
}

/// Writes what was asked for.
fn run(arguments: &Arguments) -> Result<(), Failure> {
    fs::create_dir_all(&arguments.directory)?;
    if let Some(rows) = arguments.rows {
        return write_large(
            &arguments.directory.join("customers.csv"),
            arguments.seed,
            rows,
        );
    }
    for (name, bytes) in samples(arguments.seed)? {
        let path = arguments.directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// All sample files: name and content.
fn samples(seed: u64) -> Result<Vec<(&'static str, Vec<u8>)>, Failure> {
    let products = Products::new();
    let organizations = Organizations::new(seed);
    let customers = Block::new(seed, 0, &organizations.directory());
    let (product_table, organization_table) = (products.table(), organizations.table());
    let customer_table = customers.table();
    let entitlements = Entitlements::new(seed, &customers, &organizations.directory());
    Ok(vec![
        ("products.csv", product_table.to_csv(products::DIALECT)?),
        ("products.parquet", product_table.to_parquet(100)?),
        ("products.arrow", product_table.to_arrow_file(100)?),
        (
            "organizations.csv",
            organization_table.to_csv(organizations::DIALECT)?,
        ),
        ("organizations.parquet", organization_table.to_parquet(60)?),
        (
            "organizations.arrow",
            organization_table.to_arrow_stream(60)?,
        ),
        ("customers.csv", customer_table.to_csv(PLAIN)?),
        ("customers.parquet", customer_table.to_parquet(600)?),
        ("customers.arrow", customer_table.to_arrow_file(700)?),
        ("entitlements.csv", entitlements.table().to_csv(PLAIN)?),
        ("site.toml", site::seed_file().into_bytes()),
        (
            "expected/products.csv",
            expected::to_csv(&settle(&products.planted))?,
        ),
        (
            "expected/organizations.csv",
            expected::to_csv(&settle(&organizations.planted))?,
        ),
        (
            "expected/customers.csv",
            expected::to_csv(&settle(&customers.planted))?,
        ),
        (
            "expected/entitlements.csv",
            expected::to_csv(&settle(&entitlements.planted))?,
        ),
    ])
}

/// Writes a customers file of any length in the memory of one block.
fn write_large(path: &Path, seed: u64, rows: usize) -> Result<(), Failure> {
    let directory = Organizations::new(seed).directory();
    let out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut file = CsvFile::new(out, PLAIN)?;
    for number in 0..rows.div_ceil(BLOCK) {
        let block = Block::new(seed, number, &directory);
        file.append(&block.table(), BLOCK.min(rows - number * BLOCK))?;
    }
    file.finish()
}

#[cfg(test)]
mod tests;
