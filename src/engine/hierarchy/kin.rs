//! The first reading's share: who is whose child. Keys stay in memory, some 200 bytes a row while they are
//! ordered; what people call the rows and their parents goes to disk.

use super::order::{Link, Standing, arrange};
use super::record;
use super::tree::Tree;
use crate::dedupe::Policy;
use crate::model::row::{KeyHash, PreparedRow, RejectedRow, RowId, RowRef};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom};
use std::path::Path;

/// Rows that a stage with a `[hierarchy]` may have: they take up to 400 MB.
pub(super) const MOST_ROWS: usize = 2_000_000;
/// Names that are looked up at once.
const AT_ONCE: usize = 5_000;

/// The rows of a dataset and their parents.
#[derive(Debug)]
pub struct Kin {
    links: Vec<Link>,
    children: BufWriter<File>,
}

/// Why rows cannot be taken in.
#[derive(Debug, thiserror::Error)]
pub enum KinError {
    /// The disk refuses.
    #[error(transparent)]
    Spill(#[from] io::Error),
    /// There are more than fit.
    #[error(
        "the input has more than {MOST_ROWS} rows, more than a mapping with [hierarchy] can bring into order; split \
         the input so that parents are loaded before their children, or leave [hierarchy] out"
    )]
    TooMany,
}

/// A row that has a parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// The row.
    pub row: RowRef,
    /// Its parent's key.
    pub parent: KeyHash,
    /// Its parent's name, as written.
    pub name: String,
}

impl Kin {
    /// None yet; what is spilled lies in an unnamed file in `folder`.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            links: Vec::new(),
            children: BufWriter::new(tempfile::tempfile_in(folder)?),
        })
    }

    /// Takes the rows of a chunk, and those that were refused and have a key; `names` has those of parents. All come in
    /// row order.
    ///
    /// # Errors
    /// When there are too many, or the disk refuses.
    pub fn push(
        &mut self,
        rows: &[PreparedRow],
        refused: &[(RowId, KeyHash)],
        names: &[(RowId, String)],
    ) -> Result<(), KinError> {
        for row in rows {
            let mut link = Link {
                key: row.hash,
                parent: row.hash,
                row: row.row.id,
                standing: Standing::Root,
            };
            if let Some(parent) = row.parent {
                (link.parent, link.standing) = (parent, Standing::Child);
                let name = names.binary_search_by_key(&row.row.id, |(row, _)| *row);
                let name = name.map_or("", |index| names[index].1.as_str());
                record::write_row(&mut self.children, &row.row)?;
                record::write_hash(&mut self.children, parent)?;
                record::write_text(&mut self.children, name.as_bytes())?;
            }
            self.links.push(link);
        }
        self.links.extend(refused.iter().map(|(row, key)| Link {
            key: *key,
            parent: *key,
            row: *row,
            standing: Standing::Refused,
        }));
        if self.links.len() > MOST_ROWS {
            return Err(KinError::TooMany);
        }
        Ok(())
    }

    /// Orders the rows. `absent` tells which of some names the site does not have either, by position.
    ///
    /// # Errors
    /// When the disk refuses or the site cannot be asked.
    pub fn decide<E: From<io::Error>>(
        mut self,
        policy: Policy,
        mut absent: impl FnMut(&[String]) -> Result<Vec<bool>, E>,
    ) -> Result<(Tree, Children), E> {
        self.links.sort_unstable_by_key(|link| (link.key, link.row));
        for rows in self.links.chunk_by_mut(|a, b| a.key == b.key) {
            choose(rows, policy);
        }
        let file = self
            .children
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        let mut children = Children(BufReader::new(file));
        children.rewind()?;
        let (mut missing, mut asked) = (HashSet::new(), HashSet::new());
        let (mut names, mut keys) = (Vec::new(), Vec::new());
        loop {
            let child = children.read()?;
            let last = child.is_none();
            if let Some(child) = child {
                let found = self
                    .links
                    .binary_search_by_key(&child.parent, |link| link.key);
                if found.is_err() && asked.insert(child.parent) {
                    names.push(child.name);
                    keys.push(child.parent);
                }
            }
            if names.len() == AT_ONCE || last && !names.is_empty() {
                let absent = absent(&names)?;
                let gone = keys.drain(..).zip(absent).filter(|(_, absent)| *absent);
                missing.extend(gone.map(|(key, _)| key));
                names.clear();
            }
            if last {
                break;
            }
        }
        children.rewind()?;
        Ok((arrange(&self.links, &missing), children))
    }
}

/// Leaves those of the rows of one key that are sent; as `dedupe` decides it.
fn choose(rows: &mut [Link], policy: Policy) {
    let sound = || {
        rows.iter()
            .enumerate()
            .filter(|(_, link)| link.standing.is_sound())
    };
    let (first, last, count) = (
        sound().next().map(|(index, _)| index),
        sound().next_back().map(|(index, _)| index),
        sound().count(),
    );
    if count < 2 {
        return;
    }
    let (chosen, otherwise) = match policy {
        Policy::AllInOrder => return,
        Policy::Last => (last, Standing::Aside),
        Policy::First => (first, Standing::Aside),
        Policy::Reject => (None, Standing::Refused),
    };
    for (index, link) in rows.iter_mut().enumerate() {
        if link.standing.is_sound() && Some(index) != chosen {
            link.standing = otherwise;
        }
    }
}

/// The rows that have a parent, in row order, read from disk.
#[derive(Debug)]
pub struct Children(BufReader<File>);

impl Children {
    /// The next one.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read(&mut self) -> io::Result<Option<Child>> {
        let Some(row) = record::read_row(&mut self.0)? else {
            return Ok(None);
        };
        let parent = record::read_hash(&mut self.0)?;
        let name = record::read_text(&mut self.0)?;
        let name = String::from_utf8(name).map_err(io::Error::other)?;
        Ok(Some(Child { row, parent, name }))
    }

    /// Those of them that are refused for their parents. `field` is the detail that names these.
    #[must_use]
    pub fn refused(self, tree: Tree, field: Option<&str>) -> Refused {
        Refused {
            children: self,
            tree,
            field: field.map(str::to_owned),
        }
    }

    fn rewind(&mut self) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(0)).map(drop)
    }
}

/// The rows that are refused for their parents, in row order.
#[derive(Debug)]
pub struct Refused {
    children: Children,
    tree: Tree,
    field: Option<String>,
}

impl Refused {
    /// The next one.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read(&mut self) -> io::Result<Option<RejectedRow>> {
        while let Some(Child { row, name, .. }) = self.children.read()? {
            if let Some(reason) = self.tree.reason(row.id, self.field.as_deref(), &name) {
                return Ok(Some(RejectedRow {
                    row,
                    hash: None,
                    reasons: vec![reason],
                }));
            }
        }
        Ok(None)
    }
}
