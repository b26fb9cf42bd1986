//! What a load may use and bear.

use super::route::Wish;
use std::fmt;
use std::str::FromStr;

/// When a run stops early because of rows that did not load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxErrors {
    /// More than this many rows.
    Rows(u64),
    /// More than this share of the rows read so far, in percent, once they are 1,000.
    Percent(f64),
}

impl MaxErrors {
    /// Rows that must be read before a percentage means anything.
    const READ_BEFORE_PERCENT: u64 = 1_000;

    /// Whether `errors` (rejected, failed, unconfirmed) of `read` rows are too many.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a percentage of row counts")]
    pub fn exceeded(self, errors: u64, read: u64) -> bool {
        match self {
            Self::Rows(most) => errors > most,
            Self::Percent(most) => {
                read >= Self::READ_BEFORE_PERCENT && errors as f64 * 100.0 > read as f64 * most
            }
        }
    }
}

impl fmt::Display for MaxErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(rows) => write!(f, "{rows}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl FromStr for MaxErrors {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("{text:?} is neither a number of rows (100) nor a percentage (5%)");
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim().parse::<f64>() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self::Percent(percent)),
                _ => Err(refused()),
            },
            None => text.trim().parse().map(Self::Rows).map_err(|_| refused()),
        }
    }
}

/// How many records a load may create or change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxChanges(MaxErrors);

impl MaxChanges {
    /// Whether so many changes of so many rows read are too many.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a percentage of row counts")]
    pub fn exceeded(self, changes: u64, read: u64) -> bool {
        match self.0 {
            MaxErrors::Rows(most) => changes > most,
            MaxErrors::Percent(most) => changes as f64 * 100.0 > read as f64 * most,
        }
    }
}

impl fmt::Display for MaxChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MaxChanges {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

/// How many task slots to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TaskSlots {
    /// Start at two and learn.
    #[default]
    Auto,
    /// Exactly this many, as long as the site grants them.
    Fixed(usize),
}

impl FromStr for TaskSlots {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "auto" => Ok(Self::Auto),
            Ok(slots @ 1..=100) => Ok(Self::Fixed(slots)),
            _ => Err(format!(
                "{text:?} is neither \"auto\" nor a number from 1 to 100"
            )),
        }
    }
}

/// Of which rows it is read back what the site holds of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// Those in doubt.
    Failed,
    /// Those, and of each batch that the site reports as written one row in a hundred.
    #[default]
    Sample,
    /// All.
    All,
}

impl FromStr for Verify {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "failed" => Ok(Self::Failed),
            "sample" => Ok(Self::Sample),
            "all" => Ok(Self::All),
            _ => Err(format!(
                "{text:?} is none of \"failed\", \"sample\" and \"all\""
            )),
        }
    }
}

impl FromStr for Wish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "bulk" => Ok(Self::Bulk),
            "single" => Ok(Self::Single),
            _ => Err(format!(
                "{text:?} is none of \"auto\", \"bulk\" and \"single\""
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_wait_for_a_thousand_rows_and_counts_do_not() {
        let percent: MaxErrors = "5%".parse().unwrap();
        assert!(!percent.exceeded(999, 999));
        assert!(!percent.exceeded(50, 1_000));
        assert!(percent.exceeded(51, 1_000));
        let rows: MaxErrors = "3".parse().unwrap();
        assert!(!rows.exceeded(3, 3));
        assert!(rows.exceeded(4, 4));
        assert!("-1".parse::<MaxErrors>().is_err() && "101%".parse::<MaxErrors>().is_err());
    }

    #[test]
    fn changes_are_counted_however_few_rows_there_are() {
        let percent: MaxChanges = "50%".parse().unwrap();
        assert!(!percent.exceeded(1, 2));
        assert!(percent.exceeded(2, 2));
        let rows: MaxChanges = "3".parse().unwrap();
        assert!(!rows.exceeded(3, 9));
        assert!(rows.exceeded(4, 9));
        assert!(!percent.exceeded(0, 0));
    }

    #[test]
    fn slots_are_auto_or_a_small_number() {
        assert_eq!("auto".parse(), Ok(TaskSlots::Auto));
        assert_eq!("5".parse(), Ok(TaskSlots::Fixed(5)));
        assert!("0".parse::<TaskSlots>().is_err() && "many".parse::<TaskSlots>().is_err());
    }

    #[test]
    fn words_are_read_and_others_refused_with_those_that_are_known() {
        assert_eq!("all".parse(), Ok(Verify::All));
        assert_eq!("single".parse(), Ok(Wish::Single));
        insta::assert_snapshot!(
            [
                "some".parse::<Verify>().unwrap_err(),
                "both".parse::<Wish>().unwrap_err()
            ]
            .join("\n"),
            @r#"
        "some" is none of "failed", "sample" and "all"
        "both" is none of "auto", "bulk" and "single"
        "#
        );
    }
}
