//! Writes the customers that are measured with, as CSV, Parquet and Arrow. The same number of rows gives the same bytes.
//! usage: input FOLDER ROWS

mod customers;

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(folder), Some(rows)) = (words.next(), words.next()) else {
        return Err("usage: input FOLDER ROWS".into());
    };
    customers::write(Path::new(&folder), rows.parse()?)
}
