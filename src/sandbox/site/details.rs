//! The detail values of a record, encoded: one allocation a record instead of one a value.

use super::records::DetailValues;
use std::collections::BTreeMap;

/// The values of a record's detail fields. Those of deleted fields may be among them.
#[derive(Debug, Clone, Default)]
pub(super) struct Details(Box<str>);

impl Details {
    /// The values.
    pub(super) fn values(&self) -> DetailValues {
        if self.0.is_empty() {
            return Vec::new();
        }
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// The values of one field.
    pub(super) fn of(&self, number: u16) -> Vec<String> {
        let mut all = self.values().into_iter();
        all.find(|(n, _)| *n == number)
            .map_or_else(Vec::new, |(_, values)| values)
    }

    /// The encoded values, which hold each value as JSON text: a quick test before decoding.
    pub(super) fn encoded(&self) -> &str {
        &self.0
    }

    /// Replaces the values of the fields named in `changes`; no values clear a field.
    pub(super) fn merge(&mut self, changes: &[(u16, Vec<String>)]) {
        if changes.is_empty() {
            return;
        }
        let mut all: BTreeMap<_, _> = self.values().into_iter().collect();
        all.extend(changes.iter().cloned());
        let kept: Vec<_> = all
            .iter()
            .filter(|(_, values)| !values.is_empty())
            .collect();
        self.0 = if kept.is_empty() {
            Box::default()
        } else {
            serde_json::to_string(&kept).unwrap_or_default().into()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_replace_what_is_named_keep_the_rest_and_vanish_when_cleared() {
        let values = |list: &[&str]| list.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
        let mut details = Details::default();
        details.merge(&[
            (3, values(&["EMEA"])),
            (1, values(&[])),
            (0, values(&["a", "b"])),
        ]);
        details.merge(&[(3, values(&["APAC \"x\""])), (2, values(&["new"]))]);
        assert_eq!(
            details.values(),
            [
                (0, values(&["a", "b"])),
                (2, values(&["new"])),
                (3, values(&["APAC \"x\""]))
            ]
        );
        assert_eq!((details.of(2), details.of(1)), (values(&["new"]), vec![]));
        details.merge(&[(0, vec![]), (2, vec![]), (3, vec![])]);
        assert_eq!(details.encoded(), "");
    }
}
