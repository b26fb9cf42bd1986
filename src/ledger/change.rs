//! What happened to a record since it was last in the pages: what it voids, what it confirms, and how two of them make
//! one.

use super::content::{Content, Entry, number, put_number, put_text, text};
use super::few::Few;
use super::pages::{Key, Value};
use rustc_hash::FxHashMap;

/// A (site, entity): the maps of what is remembered, or of one layer of changes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Maps {
    pub(super) entries: i64,
    pub(super) identities: i64,
}

/// A shape, as far as it matters here.
#[derive(Debug, Clone)]
pub(super) struct KnownShape {
    pub(super) maps: Maps,
    pub(super) fields: Vec<String>,
}

/// Shapes by number.
pub(super) type Shapes = FxHashMap<u32, KnownShape>;

/// What happened to a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Change {
    /// By these shapes.
    pub(super) voided: Few<u32>,
    pub(super) contents: Few<Content>,
    /// Shown key and remote id.
    pub(super) known: Option<(String, Option<String>)>,
}

impl Change {
    /// It is about to be written by a shape.
    pub(super) fn void(&mut self, shapes: &Shapes, by: u32) {
        self.contents
            .retain(|content| !overlap(shapes, content.shape, by));
        if !self.voided.contains(&by) {
            self.voided.push(by);
        }
    }

    /// The site confirmed it.
    pub(super) fn confirm(&mut self, content: Content, key: String, remote_id: Option<String>) {
        replace(&mut self.contents, content);
        let before = self.known.take().and_then(|(_, id)| id);
        self.known = Some((key, remote_id.or(before)));
    }

    /// The shown key, where it was confirmed.
    pub(super) fn shown(&self) -> Option<&str> {
        self.known.as_ref().map(|(shown, _)| shown.as_str())
    }

    /// This, and then another one.
    pub(super) fn then(mut self, shapes: &Shapes, newer: Self) -> Self {
        for by in newer.voided.iter() {
            self.void(shapes, *by);
        }
        for content in newer.contents.iter() {
            replace(&mut self.contents, *content);
        }
        if let Some((key, remote_id)) = newer.known {
            let before = self.known.take().and_then(|(_, id)| id);
            self.known = Some((key, remote_id.or(before)));
        }
        self
    }

    /// What the record is after it.
    pub(super) fn apply(self, shapes: &Shapes, old: Option<Entry>) -> Option<Entry> {
        let mut entry = match old {
            Some(entry) => entry,
            None if self.known.is_none() => return None,
            None => Entry::default(),
        };
        entry.contents.retain(|content| {
            let voided = |by: &u32| overlap(shapes, content.shape, *by);
            !self.voided.iter().any(voided)
        });
        for content in self.contents.iter() {
            replace(&mut entry.contents, *content);
        }
        if let Some((key, remote_id)) = self.known {
            entry.key = key;
            entry.remote_id = remote_id.or(entry.remote_id);
        }
        Some(entry)
    }
}

impl Value for Change {
    const KEY: usize = size_of::<Key>();

    fn encode(&self, out: &mut Vec<u8>) {
        let id = self.known.as_ref().and_then(|(_, id)| id.as_ref());
        let known = usize::from(self.known.is_some()) + usize::from(id.is_some());
        put_number(out, self.contents.len() * 3 + known);
        put_number(out, self.voided.len());
        for shape in self.voided.iter() {
            put_number(out, *shape as usize);
        }
        for content in self.contents.iter() {
            content.encode(out);
        }
        if let Some((key, _)) = &self.known {
            put_text(out, key);
        }
        if let Some(id) = id {
            put_text(out, id);
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let head = number(bytes)?;
        let voided = (0..number(bytes)?).map(|_| u32::try_from(number(bytes)?).ok());
        let voided = voided.collect::<Option<_>>()?;
        let contents = (0..head / 3).map(|_| Content::decode(bytes));
        let contents = contents.collect::<Option<_>>()?;
        let known = match head % 3 {
            0 => None,
            1 => Some((text(bytes)?, None)),
            _ => Some((text(bytes)?, Some(text(bytes)?))),
        };
        Some(Self {
            voided,
            contents,
            known,
        })
    }
}

fn replace(contents: &mut Few<Content>, content: Content) {
    contents.retain(|other| other.shape != content.shape);
    contents.push(content);
}

/// Whether two shapes write a field in common. A shape that is not known might.
fn overlap(shapes: &Shapes, left: u32, right: u32) -> bool {
    left == right
        || match (shapes.get(&left), shapes.get(&right)) {
            (Some(left), Some(right)) => {
                left.fields.iter().any(|field| right.fields.contains(field))
            }
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::content::QuarterHour;
    use crate::ledger::record::ContentHash;
    use proptest::prelude::*;

    /// The first two share a field; the fourth is not known.
    fn shapes() -> Shapes {
        let maps = Maps {
            entries: 1,
            identities: 2,
        };
        let fields = [(1, "a b"), (2, "b c"), (3, "d")];
        let known = |fields: &str| KnownShape {
            maps,
            fields: fields.split(' ').map(str::to_owned).collect(),
        };
        let shapes = fields.map(|(shape, fields)| (shape, known(fields)));
        shapes.into_iter().collect()
    }

    /// Steps of a key, as a run takes them.
    fn changes() -> impl Strategy<Value = Change> {
        let content = (1..5_u32, 0..4_u128, 0..100_u32);
        let step = prop_oneof![
            (1..5_u32).prop_map(|shape| (Some(shape), None)),
            (content, "[a-c]{0,2}", proptest::option::of("[0-9]{0,2}"))
                .prop_map(|confirmed| (None, Some(confirmed))),
        ];
        proptest::collection::vec(step, 0..5).prop_map(|steps| {
            let mut change = Change::default();
            for (voided, confirmed) in steps {
                if let Some(by) = voided {
                    change.void(&shapes(), by);
                }
                if let Some(((shape, hash, at), key, id)) = confirmed {
                    let hash = ContentHash::of(hash);
                    let at = QuarterHour(at);
                    change.confirm(Content { shape, hash, at }, key, id);
                }
            }
            change
        })
    }

    proptest! {
        #[test]
        fn two_changes_made_one_do_what_both_did(before in changes(), older in changes(), newer in changes()) {
            let shapes = shapes();
            let apply = |change: &Change, entry| change.clone().apply(&shapes, entry);
            let entry = apply(&before, None);
            let both = apply(&newer, apply(&older, entry.clone()));
            prop_assert_eq!(&older.clone().then(&shapes, newer.clone()).apply(&shapes, entry), &both);
            // again, as after a crash in the middle of a merge: to the same end
            let again = apply(&newer, apply(&older, both.clone()));
            let sorted = |entry: Option<Entry>| entry.map(|mut entry| {
                let mut contents = entry.contents.to_vec();
                contents.sort_by_key(|content| content.shape);
                entry.contents = contents.into_iter().collect();
                entry
            });
            prop_assert_eq!(sorted(again), sorted(both));
        }

        #[test]
        fn changes_come_back_as_they_were(change in changes()) {
            let mut bytes = Vec::new();
            change.encode(&mut bytes);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(Change::decode(&mut rest), Some(change));
            prop_assert!(rest.is_empty());
            for cut in 0..bytes.len() {
                prop_assert_eq!(Change::decode(&mut &bytes[..cut]), None);
            }
        }
    }
}
