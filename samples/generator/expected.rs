//! What the loader should answer for each row, worked out from the planted faults alone.

use crate::failure::Failure;

/// A reason for which a row does not load, and its place among others of the same row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// Where the field stands in the mapping file; reasons are reported in that order.
    pub(crate) place: u8,
    /// The code.
    pub(crate) code: &'static str,
    /// The target field; empty when the whole row is meant.
    pub(crate) field: &'static str,
    /// The message.
    pub(crate) message: String,
}

/// What was planted in one row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Planted {
    /// The value of the mapping's key column.
    pub(crate) key: String,
    /// Faults that validation finds.
    pub(crate) reasons: Vec<Reason>,
    /// The detail field whose value only the site refuses.
    pub(crate) refused_detail: Option<&'static str>,
    /// Why the loader or the site refuses it once it is its turn.
    pub(crate) failed: Vec<Reason>,
    /// Rows with the same number share one natural key.
    pub(crate) shared_key: Option<usize>,
    /// The site has the record already, and nothing can be updated about it.
    pub(crate) present: bool,
}

/// One row of an expected-results file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The row's number, from 1.
    pub(crate) row: usize,
    /// The value of the key column.
    pub(crate) key: String,
    /// How the row ends.
    pub(crate) status: &'static str,
    /// Codes, joined.
    pub(crate) code: String,
    /// Fields, joined.
    pub(crate) field: String,
    /// Messages, joined.
    pub(crate) message: String,
}

/// The answers for all rows of a dataset: valid rows compete for a shared key and the last one wins.
pub(crate) fn settle(rows: &[Planted]) -> Vec<Answer> {
    rows.iter()
        .enumerate()
        .map(|(index, planted)| {
            let (status, reasons) = outcome(rows, index);
            let join = |part: fn(&Reason) -> &str| {
                let parts: Vec<&str> = reasons.iter().map(part).collect();
                parts.join("; ")
            };
            Answer {
                row: index + 1,
                key: planted.key.clone(),
                status,
                code: join(|reason| reason.code),
                field: join(|reason| reason.field),
                message: join(|reason| &reason.message),
            }
        })
        .collect()
}

/// Status and reasons of one row.
fn outcome(rows: &[Planted], index: usize) -> (&'static str, Vec<Reason>) {
    let planted = &rows[index];
    if !planted.reasons.is_empty() {
        let mut reasons = planted.reasons.clone();
        reasons.sort_by_key(|reason| reason.place);
        return ("rejected", reasons);
    }
    let one = |code, field, message: String| {
        vec![Reason {
            place: 0,
            code,
            field,
            message,
        }]
    };
    if let Some(winner) = winner(rows, planted.shared_key).filter(|winner| *winner != index) {
        let message = format!(
            "row {} has the same natural key and stands for it",
            winner + 1
        );
        return ("duplicate", one("DUPLICATE_KEY", "", message));
    }
    if !planted.failed.is_empty() {
        return ("failed", planted.failed.clone());
    }
    if let Some(detail) = planted.refused_detail {
        let message = "Invalid detail field value".to_owned();
        return ("failed", one("SITE_REJECTED", detail, message));
    }
    if planted.present {
        let message = "a product of this name is already on the site".to_owned();
        return ("unchanged", one("ALREADY_PRESENT", "", message));
    }
    ("loaded", Vec::new())
}

/// The last valid row of those that share a key.
fn winner(rows: &[Planted], shared_key: Option<usize>) -> Option<usize> {
    let shared = shared_key?;
    rows.iter()
        .rposition(|row| row.shared_key == Some(shared) && row.reasons.is_empty())
}

/// The answers as CSV, with the columns of a results file that are the same in every run.
pub(crate) fn to_csv(answers: &[Answer]) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .from_writer(&mut bytes);
    writer.write_record([
        "row",
        "key",
        "status",
        "operation",
        "code",
        "field",
        "message",
    ])?;
    for answer in answers {
        writer.write_record([
            answer.row.to_string().as_str(),
            &answer.key,
            answer.status,
            "upsert",
            &answer.code,
            &answer.field,
            &answer.message,
        ])?;
    }
    writer.flush()?;
    drop(writer);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(place: u8, code: &'static str, field: &'static str) -> Reason {
        Reason {
            place,
            code,
            field,
            message: format!("message {place}"),
        }
    }

    #[test]
    fn the_last_valid_row_of_a_key_wins_and_rejected_rows_do_not_compete() {
        let row = |reasons: Vec<Reason>| Planted {
            reasons,
            shared_key: Some(7),
            ..Planted::default()
        };
        let answers = settle(&[
            row(vec![]),
            row(vec![]),
            row(vec![fault(1, "EMAIL_INVALID", "email")]),
        ]);
        assert_eq!(answers[0].status, "duplicate");
        assert_eq!(
            answers[0].message,
            "row 2 has the same natural key and stands for it"
        );
        assert_eq!(answers[1].status, "loaded");
        assert_eq!(answers[2].status, "rejected");
    }

    #[test]
    fn reasons_are_joined_in_the_order_of_the_mapping_file() {
        let answers = settle(&[Planted {
            reasons: vec![fault(9, "CONTRACT_ENDED", ""), fault(2, "TOO_LONG", "name")],
            refused_detail: Some("Tier"),
            ..Planted::default()
        }]);
        assert_eq!(answers[0].status, "rejected");
        assert_eq!(answers[0].code, "TOO_LONG; CONTRACT_ENDED");
        assert_eq!(answers[0].field, "name; ");
        assert_eq!(answers[0].message, "message 2; message 9");
    }
}
