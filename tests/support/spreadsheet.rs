//! What a spreadsheet does to a results file.

/// A table as a spreadsheet holds it.
pub(crate) type Sheet = Vec<Vec<String>>;

/// Opens CSV as text.
pub(crate) fn open_in_spreadsheet(csv: &str) -> Sheet {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(csv.as_bytes());
    let records = reader.records().map(Result::unwrap);
    records
        .map(|record| record.iter().map(str::to_owned).collect())
        .collect()
}

/// Saves it with this delimiter and CRLF, leaving out the empty cells at the end of a record, as spreadsheets may.
pub(crate) fn save_as(sheet: &Sheet, delimiter: char) -> String {
    let mut text = String::new();
    for record in sheet {
        let used = record
            .iter()
            .rposition(|cell| !cell.is_empty())
            .map_or(0, |last| last + 1);
        let cells = record[..used].iter().map(|cell| {
            if cell.contains([delimiter, '"', '\n', '\r']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.clone()
            }
        });
        text.push_str(&cells.collect::<Vec<_>>().join(&delimiter.to_string()));
        text.push_str("\r\n");
    }
    text
}

/// The position of a column.
pub(crate) fn column(sheet: &Sheet, name: &str) -> usize {
    sheet[0].iter().position(|known| known == name).unwrap()
}
