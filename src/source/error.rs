//! What can go wrong with a file as a whole: where, what, and what to do about it.
//!
//! A fault of one row is not here: it is a [`BadRow`](super::chunk::BadRow).

use std::error::Error;
use std::fmt;

/// The class of a [`SourceError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceErrorKind {
    /// An input names a file that is not there, or matches none.
    NotFound,
    /// A file stands in the dataset twice.
    Repeated,
    /// An option (encoding, delimiter, column names) cannot be used.
    Option,
    /// The operating system refused to open or read.
    Io,
    /// The content is not of the expected format.
    Format,
    /// The header is missing, incomplete or ambiguous.
    Header,
    /// Two files of the dataset do not have the same columns.
    Schema,
    /// A request names a column that the dataset does not have.
    UnknownColumn,
    /// A CSV record is larger than `max_record`.
    RecordTooLarge,
    /// Damage inside a file, met while reading.
    Damaged,
    /// The file is no longer the one that was opened.
    Changed,
}

/// Where in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A physical line, from 1.
    Line(u64),
    /// The first row of the dataset (from 1) that could not be read.
    Row(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// A fault of one file or input. The text says file, place, fault and cure; the cause is in [`Error::source`].
#[derive(Debug)]
pub struct SourceError {
    kind: SourceErrorKind,
    file: Option<String>,
    place: Option<Place>,
    what: String,
    cure: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl SourceError {
    /// A fault and its cure, both in lower case and without a full stop.
    pub(super) fn new(
        kind: SourceErrorKind,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            file: None,
            place: None,
            what: what.into(),
            cure: cure.into(),
            cause: None,
        }
    }

    /// The same fault, in this file.
    pub(super) fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// The same fault, of whatever file.
    pub(super) fn without_file(mut self) -> Self {
        self.file = None;
        self
    }

    /// The same fault, at this place.
    pub(super) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The same fault, with its cause.
    pub(super) fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Its class.
    #[must_use]
    pub fn kind(&self) -> SourceErrorKind {
        self.kind
    }

    /// The file or input concerned, as people know it.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Where in the file.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.place
    }

    /// What is wrong.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do about it.
    #[must_use]
    pub fn cure(&self) -> &str {
        &self.cure
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.place) {
            (Some(file), Some(place)) => write!(f, "{file}, {place}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, Some(place)) => write!(f, "{place}: ")?,
            (None, None) => {}
        }
        write!(f, "{}; {}", self.what, self.cure)
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// Every fault that opening a dataset found, never empty. Shows one on each line, with its causes.
#[derive(Debug)]
pub struct SourceErrors(Vec<SourceError>);

impl SourceErrors {
    /// The faults, in the order of the inputs.
    #[must_use]
    pub fn faults(&self) -> &[SourceError] {
        &self.0
    }

    /// These faults, at least one.
    pub(super) fn all(faults: Vec<SourceError>) -> Self {
        debug_assert!(!faults.is_empty(), "an error without a fault");
        Self(faults)
    }
}

impl From<SourceError> for SourceErrors {
    fn from(fault: SourceError) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for SourceErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
            let mut cause = fault.source();
            while let Some(error) = cause {
                write!(f, " ({error})")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}

impl Error for SourceErrors {}

/// `", did you mean \"x\"?"` when one of `known` is close to `typed`, else nothing.
pub(super) fn suggestion<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let typed = typed.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&typed, &name.to_lowercase()), name))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(String::new, |(_, name)| {
            format!(", did you mean \"{name}\"?")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_listed_one_on_a_line_with_place_cure_and_cause() {
        let first = SourceError::new(
            SourceErrorKind::Damaged,
            "cannot be read",
            "export it again",
        )
        .in_file("a.csv")
        .at(Place::Line(7))
        .caused_by(std::io::Error::other("disk on fire"));
        let second = SourceError::new(SourceErrorKind::NotFound, "no input", "name a file");
        assert!(first.source().is_some());
        let all = SourceErrors(vec![first, second]);
        insta::assert_snapshot!(all, @"
        a.csv, line 7: cannot be read; export it again (disk on fire)
        no input; name a file
        ");
    }

    #[test]
    fn a_close_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(
            suggestion("Emial", ["name", "email"]),
            ", did you mean \"email\"?"
        );
        assert_eq!(suggestion("phone", ["name", "email"]), "");
    }
}
