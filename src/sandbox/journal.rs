//! Keeps a site on disk: `site.jsonl`, one line of JSON for every change, appended and synced before its answer goes out.
//!
//! The first line names the format and the site; each further line is a [`Change`]. A file that ends inside a line was
//! being written when the machine stopped: nobody was told of that change, and it is cut off. Any other line that does
//! not fit is an error. A lock file keeps a second process away.
//!
//! Must not know: what the changes mean, the time, HTTP.

use super::error::SandboxError;
use super::site::{Change, Site};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Write as _};
#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The version of the format.
const VERSION: u32 = 2;
/// Bodies of finished tasks, in bytes, below which leaving them out is not worth a rewrite.
const WASTE: u64 = 1024 * 1024;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    csm_loader_site: u32,
    cloud_id: String,
}

/// A site's file, open for more.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    /// Held for as long as the journal is open.
    _lock: Lock,
}

/// A lock on the folder.
struct Lock(File);

impl Drop for Lock {
    /// Unlocks at once: closing alone would leave that to a child process that was just being forked.
    fn drop(&mut self) {
        // closing unlocks as well, only perhaps later
        let _ = self.0.unlock();
    }
}

impl Journal {
    /// Opens the site in a folder, or makes one with this cloud id; folder and files are for their owner alone.
    ///
    /// # Errors
    /// When another process has it, a file cannot be used, or the journal is damaged.
    pub(super) fn open(folder: &Path, cloud: Uuid) -> Result<(Self, Site), SandboxError> {
        make_folder(folder)?;
        let lock = lock(folder)?;
        let path = folder.join("site.jsonl");
        let file = open_file(&path)?;
        let mut replay = replay(&path, &file)?;
        let site = replay.site.take().unwrap_or_else(|| Site::new(cloud));
        let mut journal = Self {
            path,
            file,
            buffer: Vec::new(),
            _lock: lock,
        };
        let doing = "cut the torn end off";
        let cut = journal.file.set_len(replay.length);
        journal.with(doing, cut)?;
        if replay.length == 0 {
            journal.line(&Header {
                csm_loader_site: VERSION,
                cloud_id: site.cloud_id().to_string(),
            })?;
            journal.sync()?;
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            journal.with("sync the folder of", synced)?;
        } else if replay.waste > WASTE && replay.waste > replay.length / 3 {
            journal.compact(folder, &replay)?;
        }
        Ok((journal, site))
    }

    /// Where the site is kept.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes changes down; they are durable when this returns.
    ///
    /// # Errors
    /// When the file cannot be written. The site in memory is ahead of it then and must answer nothing more.
    pub(super) fn append(&mut self, changes: &[Change]) -> Result<(), SandboxError> {
        if changes.is_empty() {
            return Ok(());
        }
        for change in changes {
            self.line(change)?;
        }
        self.sync()
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), SandboxError> {
        let written = serde_json::to_writer(&mut self.buffer, line).map_err(io::Error::from);
        self.buffer.push(b'\n');
        self.with("write", written)
    }

    fn sync(&mut self) -> Result<(), SandboxError> {
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        let synced = written.and_then(|()| self.file.sync_data());
        self.with("write", synced)
    }

    /// Rewrites the file without the bodies of finished tasks, beside it and then in its place.
    fn compact(&mut self, folder: &Path, replay: &Replay) -> Result<(), SandboxError> {
        let new = folder.join("site.jsonl.new");
        let rewritten = rewrite(&self.path, &new, &replay.finished)
            .and_then(|()| fs::rename(&new, &self.path))
            .and_then(|()| File::open(folder)?.sync_all());
        self.with("compact", rewritten)?;
        self.file = open_file(&self.path)?;
        Ok(())
    }

    fn with<T>(&self, doing: &'static str, result: io::Result<T>) -> Result<T, SandboxError> {
        result.map_err(|source| SandboxError::File {
            doing,
            path: self.path.clone(),
            source,
        })
    }
}

/// What reading a journal gave.
struct Replay {
    /// The site, if there is a first line.
    site: Option<Site>,
    /// Bytes that are good; what follows is a torn line.
    length: u64,
    /// Bytes of bodies that nobody needs any more.
    waste: u64,
    /// By task number: the bytes of its body, and whether it has finished.
    finished: Vec<(u64, bool)>,
}

fn replay(path: &Path, file: &File) -> Result<Replay, SandboxError> {
    let mut replay = Replay {
        site: None,
        length: 0,
        waste: 0,
        finished: Vec::new(),
    };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut line = Vec::new();
    let mut number = 0;
    let damaged = |line, message| SandboxError::Damaged {
        path: path.to_owned(),
        line,
        message,
    };
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line);
        read.map_err(|source| SandboxError::File {
            doing: "read",
            path: path.to_owned(),
            source,
        })?;
        if line.last() != Some(&b'\n') {
            break;
        }
        number += 1;
        replay
            .line(&line)
            .map_err(|message| damaged(number, message))?;
        replay.length += line.len() as u64;
    }
    if let Some(site) = &mut replay.site {
        site.ready().map_err(|message| damaged(number, message))?;
    }
    Ok(replay)
}

impl Replay {
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let Some(site) = &mut self.site else {
            let header: Header = serde_json::from_slice(line).map_err(|error| error.to_string())?;
            if header.csm_loader_site != VERSION {
                let version = header.csm_loader_site;
                return Err(format!(
                    "the format is version {version}, this program knows {VERSION}"
                ));
            }
            let cloud = Uuid::try_parse(&header.cloud_id).map_err(|error| error.to_string())?;
            self.site = Some(Site::new(cloud));
            return Ok(());
        };
        let change: Change = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        match &change {
            Change::Accepted(accepted) => {
                let body = accepted.body.as_ref().map_or(0, String::len);
                self.finished.push((body as u64, false));
            }
            Change::Finished(finished) => {
                if let Some(task) = self.finished.get_mut(finished.task as usize) {
                    task.1 = true;
                    self.waste += task.0;
                }
            }
            Change::Field(..) | Change::Wrote(..) | Change::Moved(..) => {}
        }
        site.repeat(change)
    }
}

/// Copies a journal without the bodies of finished tasks.
fn rewrite(from: &Path, to: &Path, finished: &[(u64, bool)]) -> io::Result<()> {
    let _ = fs::remove_file(to);
    let mut new = BufWriter::new(private().write(true).create_new(true).open(to)?);
    let mut reader = BufReader::new(File::open(from)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        match serde_json::from_slice(&line) {
            Ok(Change::Accepted(mut accepted))
                if finished
                    .get(accepted.task as usize)
                    .is_some_and(|task| task.1) =>
            {
                accepted.body = None;
                serde_json::to_writer(&mut new, &Change::Accepted(accepted))?;
                new.write_all(b"\n")?;
            }
            _ => new.write_all(&line)?,
        }
        line.clear();
    }
    new.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()
}

/// Options for a file that is its owner's alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    options.mode(0o600);
    options
}

fn open_file(path: &Path) -> Result<File, SandboxError> {
    let opened = private().read(true).append(true).create(true).open(path);
    opened.map_err(|source| SandboxError::File {
        doing: "open",
        path: path.to_owned(),
        source,
    })
}

fn make_folder(folder: &Path) -> Result<(), SandboxError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(folder).map_err(|source| SandboxError::File {
        doing: "create the folder",
        path: folder.to_owned(),
        source,
    })
}

fn lock(folder: &Path) -> Result<Lock, SandboxError> {
    let path = folder.join("site.lock");
    let file = open_file(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(SandboxError::Locked(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(SandboxError::File {
            doing: "lock",
            path,
            source,
        }),
    }
}

#[cfg(test)]
mod tests;
