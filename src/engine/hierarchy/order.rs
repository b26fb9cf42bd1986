//! Rows and their parents → an order in which each parent comes before its children, and the rows that have no place
//! in one. Nodes are natural keys; several rows may share one, and each may name another parent.
//!
//! Circles are found by Tarjan's walk, with a stack of its own on the heap: a chain of 100,000 levels is as easy as a
//! hundred of one. Everything takes `O(n log n)`.

use super::tree::{Fate, Placed, Tree};
use crate::model::row::{KeyHash, RowId};
use std::collections::HashSet;
use std::ops::Range;

/// A row with a natural key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) key: KeyHash,
    /// The parent's key, of a [`Standing::Child`].
    pub(super) parent: KeyHash,
    pub(super) row: RowId,
    pub(super) standing: Standing,
}

/// What a row is to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may be sent, and has no parent.
    Root,
    /// It may be sent, and has one.
    Child,
    /// Another row of its key stands for it.
    Aside,
    /// It was refused.
    Refused,
}

impl Standing {
    /// Whether the row may be sent.
    pub(super) const fn is_sound(self) -> bool {
        matches!(self, Self::Root | Self::Child)
    }
}

/// No node, or no number yet.
const NONE: u32 = u32::MAX;
/// In place of a number: the node is done with.
const CLOSED: u32 = NONE - 1;

/// Orders rows that are sorted by key and row. `missing` has the keys of parents that nobody has.
pub(super) fn arrange(links: &[Link], missing: &HashSet<KeyHash>) -> Tree {
    let starts = starts_of(links);
    let nodes = Nodes {
        links,
        starts: &starts,
    };
    let parents: Vec<u32> = links
        .iter()
        .map(|link| match link.standing {
            Standing::Child => nodes.find(link.parent).unwrap_or(NONE),
            Standing::Root | Standing::Aside | Standing::Refused => NONE,
        })
        .collect();
    let mut judged = Judged {
        missing,
        parents: &parents,
        levels: vec![NONE; nodes.len()],
        stands: vec![NONE; nodes.len()],
        placed: Vec::with_capacity(links.len()),
        nodes,
    };
    circles(&starts, &parents, |circle| judged.judge(circle));
    judged.rank();
    Tree::of(judged.placed)
}

/// The rows of each key.
struct Nodes<'a> {
    links: &'a [Link],
    /// Where each key's rows begin, and the end.
    starts: &'a [u32],
}

/// Where each key's rows begin, and the end.
fn starts_of(links: &[Link]) -> Vec<u32> {
    let number = |index| u32::try_from(index).expect("the rows of a hierarchy are bounded");
    let mut starts = vec![0];
    let mut end = 0;
    for rows in links.chunk_by(|a, b| a.key == b.key) {
        end += rows.len();
        starts.push(number(end));
    }
    starts
}

impl Nodes<'_> {
    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn range(&self, node: u32) -> Range<usize> {
        range(self.starts, node)
    }

    fn find(&self, key: KeyHash) -> Option<u32> {
        let nodes = &self.starts[..self.len()];
        let found = nodes.binary_search_by_key(&key, |start| self.links[*start as usize].key);
        found.ok().and_then(|node| u32::try_from(node).ok())
    }
}

fn range(starts: &[u32], node: u32) -> Range<usize> {
    starts[node as usize] as usize..starts[node as usize + 1] as usize
}

/// Gives `found` each set of nodes that are each other's ancestors, parents before children; most have one node.
fn circles(starts: &[u32], parents: &[u32], mut found: impl FnMut(&[u32])) {
    let nodes = starts.len() - 1;
    // when a node was first met, and the earliest open node that it leads to
    let (mut met, mut lowest) = (vec![NONE; nodes], vec![NONE; nodes]);
    let (mut open, mut path): (Vec<u32>, Vec<(u32, u32)>) = (Vec::new(), Vec::new());
    let mut clock = 0;
    for root in 0..u32::try_from(nodes).unwrap_or(NONE) {
        if met[root as usize] != NONE {
            continue;
        }
        path.push((root, starts[root as usize]));
        while let Some((node, edge)) = path.last_mut() {
            let at = *node as usize;
            if met[at] == NONE {
                (met[at], lowest[at]) = (clock, clock);
                clock += 1;
                open.push(*node);
            }
            if *edge < starts[at + 1] {
                let parent = parents[*edge as usize];
                *edge += 1;
                if parent == NONE {
                    continue;
                }
                if met[parent as usize] == NONE {
                    path.push((parent, starts[parent as usize]));
                } else if lowest[parent as usize] != CLOSED {
                    lowest[at] = lowest[at].min(met[parent as usize]);
                }
                continue;
            }
            path.pop();
            if let Some((child, _)) = path.last() {
                let child = *child as usize;
                lowest[child] = lowest[child].min(lowest[at]);
            }
            if lowest[at] == met[at] {
                let begin = open.iter().rposition(|other| *other as usize == at);
                let begin = begin.expect("an open node is among the open ones");
                for member in &open[begin..] {
                    lowest[*member as usize] = CLOSED;
                }
                found(&open[begin..]);
                open.truncate(begin);
            }
        }
    }
}

/// What is known of the nodes that were judged.
struct Judged<'a> {
    nodes: Nodes<'a>,
    missing: &'a HashSet<KeyHash>,
    parents: &'a [u32],
    /// How many ancestors a node waits for, one after the other; [`NONE`] when none of its rows is sent.
    levels: Vec<u32>,
    /// The last of its rows that is sent, by number; of a judged node without one the last that might have been.
    stands: Vec<u32>,
    placed: Vec<Placed>,
}

impl Judged<'_> {
    /// Judges nodes that are each other's ancestors, or one that is not; their other parents were judged before.
    fn judge(&mut self, circle: &[u32]) {
        let members: HashSet<u32> = match circle {
            [_] => HashSet::new(),
            many => many.iter().copied().collect(),
        };
        let within = |node: u32, parent: u32| parent == node || members.contains(&parent);
        for node in circle {
            let mut level = None;
            let rows = self.nodes.range(*node);
            let sound = rows
                .clone()
                .rfind(|index| self.nodes.links[*index].standing.is_sound());
            let mut stands = sound.unwrap_or(rows.end - 1);
            for index in rows {
                let link = &self.nodes.links[index];
                if !link.standing.is_sound() {
                    continue;
                }
                let parent = self.parents[index];
                let fate = if link.standing == Standing::Root {
                    Fate::Straight
                } else if parent == NONE && self.missing.contains(&link.parent) {
                    Fate::Missing
                } else if parent == NONE {
                    Fate::Straight
                } else if within(*node, parent) {
                    Fate::Circle
                } else if self.levels[parent as usize] == NONE {
                    Fate::ParentRefused
                } else {
                    Fate::Waits
                };
                let other = match fate {
                    Fate::Circle => self.on_the_way(parent, &within),
                    Fate::ParentRefused | Fate::Waits => {
                        let stands = self.stands[parent as usize] as usize;
                        Some(self.nodes.links[stands].row)
                    }
                    Fate::Straight | Fate::Missing => None,
                };
                match fate {
                    Fate::Straight => (level, stands) = (level.max(Some(0)), index),
                    Fate::Waits => {
                        let behind = self.levels[parent as usize] + 1;
                        (level, stands) = (level.max(Some(behind)), index);
                    }
                    Fate::Missing | Fate::Circle | Fate::ParentRefused => {}
                }
                self.placed.push(Placed {
                    row: link.row,
                    parent: other,
                    rank: 0,
                    fate,
                });
            }
            self.levels[*node as usize] = level.unwrap_or(NONE);
            self.stands[*node as usize] = u32::try_from(stands).unwrap_or(NONE);
        }
    }

    /// The row of a node on a circle that goes on along it.
    fn on_the_way(&self, node: u32, within: &impl Fn(u32, u32) -> bool) -> Option<RowId> {
        let mut rows = self.nodes.range(node);
        let next = rows.find(|index| {
            let parent = self.parents[*index];
            parent != NONE && within(node, parent)
        });
        next.map(|index| self.nodes.links[index].row)
    }

    /// Numbers the rows that wait for others: by level, then as their parents are, so that children of the rows that
    /// settle first come first.
    fn rank(&mut self) {
        let mut order: Vec<u32> = (0..u32::try_from(self.nodes.len()).unwrap_or(NONE))
            .filter(|node| self.levels[*node as usize] != NONE)
            .collect();
        order.sort_unstable_by_key(|node| {
            let first = self.nodes.links[self.nodes.range(*node).start].row;
            (self.levels[*node as usize], first)
        });
        let mut position = vec![0_u32; self.nodes.len()];
        let mut waiting: Vec<(RowId, u32)> = Vec::new();
        let mut next = 0;
        for level in order.chunk_by_mut(|a, b| self.levels[*a as usize] == self.levels[*b as usize])
        {
            let after = |node: u32| {
                let parents = &self.parents[self.nodes.range(node)];
                let parents = parents.iter().filter(|parent| **parent != NONE);
                parents.map(|parent| position[*parent as usize]).max()
            };
            let mut keyed: Vec<_> = level
                .iter()
                .map(|node| {
                    let first = self.nodes.links[self.nodes.range(*node).start].row;
                    (after(*node), first, *node)
                })
                .collect();
            keyed.sort_unstable();
            for (_, _, node) in keyed {
                position[node as usize] = next;
                next += 1;
                if self.levels[node as usize] > 0 {
                    let links = &self.nodes.links[self.nodes.range(node)];
                    let sound = links.iter().filter(|link| link.standing.is_sound());
                    for link in sound {
                        let rank = u32::try_from(waiting.len()).unwrap_or(NONE);
                        waiting.push((link.row, rank));
                    }
                }
            }
        }
        waiting.sort_unstable();
        self.placed.sort_unstable_by_key(|placed| placed.row);
        for placed in &mut self.placed {
            let found = waiting.binary_search_by_key(&placed.row, |(row, _)| *row);
            if let Ok(found) = found {
                placed.rank = waiting[found].1;
                // a row without a parent follows the others of its key
                if placed.fate == Fate::Straight {
                    placed.fate = Fate::Waits;
                }
            }
        }
        self.placed.retain(|placed| placed.fate != Fate::Straight);
    }
}
