//! The file that keeps the tokens of consents, shared by all processes that use it.
//!
//! Guarantee: what was put is durable, and a reader meets the whole of the old or the new content. Only the holder of
//! the lock writes; the lock is a file beside it, since the file itself is replaced. Must not know: requests, times.

use super::access::Access;
use crate::model::clock::UnixMillis;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The version of the file's form.
const VERSION: u32 = 1;
/// Refresh tokens of the settings that are remembered.
const REPLACED: usize = 16;

/// Whose tokens they are: those of an app on a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// The app.
    pub client_id: String,
    /// The site's address, as `https://acme.atlassian.net`, where it is known.
    pub site: Option<String>,
    /// The site's cloud id, where it is known.
    pub cloud_id: Option<String>,
}

/// The tokens of one consent. No `Debug`: they are secrets.
#[derive(Clone)]
pub struct Tokens {
    /// The newest access token.
    pub access: Access,
    /// The newest refresh token.
    pub refresh: SecretString,
    /// When the refresh token was made.
    pub refreshed_at: UnixMillis,
    /// When the person consented, or when this program first met the consent.
    pub consented_at: UnixMillis,
    /// The consent was given before `consented_at`.
    pub consent_is_older: bool,
    /// The scopes that were granted, where the login server said so.
    pub scopes: Vec<String>,
    /// Hashes of refresh tokens that the person's settings held and these tokens took the place of, oldest
    /// first: using one of them again would end the whole consent.
    pub replaced: Vec<String>,
}

/// A refresh token's hash, to know it again.
fn fingerprint(token: &SecretString) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(token.expose_secret()) {
        // writing to a String cannot fail
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl Tokens {
    /// Takes note that these tokens have taken the place of one in the settings.
    pub fn replace(&mut self, given: &SecretString) {
        let print = fingerprint(given);
        self.replaced.retain(|known| *known != print);
        self.replaced.push(print);
        let surplus = self.replaced.len().saturating_sub(REPLACED);
        self.replaced.drain(..surplus);
    }

    /// Whether these tokens have taken the place of this one.
    #[must_use]
    pub fn has_replaced(&self, given: &SecretString) -> bool {
        self.replaced.contains(&fingerprint(given))
    }
}

/// Why tokens cannot be kept or read. Never holds one.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file, its folder or its lock cannot be used.
    #[error("failed to {doing} {}: {source}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read the file.
    #[error("{path} is open to other users (mode {mode:03o}); run: chmod 600 {path}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file makes no sense.
    #[error(
        "{} cannot be read as a file of tokens (line {line}); remove it and run: csm-loader auth login",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
    },
}

/// The file.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
}

/// The right to read what others will not change, and to write. Given back when dropped, or when the process ends.
#[derive(Debug)]
pub struct Locked {
    store: Store,
    _lock: File,
}

/// The file's form.
#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    tokens: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    site: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cloud_id: Option<String>,
    access_token: String,
    expires_at: UnixMillis,
    lives_seconds: u64,
    refresh_token: String,
    refreshed_at: UnixMillis,
    consented_at: UnixMillis,
    #[serde(default)]
    consent_is_older: bool,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    replaced: Vec<String>,
}

impl Store {
    /// The store in a file, which need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until nobody else writes. Blocks.
    ///
    /// # Errors
    /// [`StoreError::File`] when the folder or the lock cannot be made.
    pub fn lock(&self) -> Result<Locked, StoreError> {
        let path = self.path.with_extension("lock");
        let failed = |source| file("lock", &path, source);
        if let Some(folder) = self.path.parent().filter(|f| !f.as_os_str().is_empty()) {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).mode(0o600);
        let lock = lock.open(&path).map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(Locked {
            store: self.clone(),
            _lock: lock,
        })
    }

    /// The tokens of an app on a site, if there are any.
    ///
    /// # Errors
    /// A [`StoreError`] when the file cannot be read, or others can read it.
    pub fn get(&self, whose: &Whose) -> Result<Option<Tokens>, StoreError> {
        let entries = self.read()?;
        Ok(entries
            .into_iter()
            .find(|entry| entry.is_of(whose))
            .map(Tokens::from))
    }

    fn read(&self) -> Result<Vec<Entry>, StoreError> {
        let failed = |source| file("read", &self.path, source);
        let mode = match fs::metadata(&self.path) {
            Ok(metadata) => metadata.mode() & 0o777,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        if mode & 0o077 != 0 {
            return Err(StoreError::Open {
                path: self.path.clone(),
                mode,
            });
        }
        let text = fs::read(&self.path).map_err(failed)?;
        let content: Content =
            serde_json::from_slice(&text).map_err(|error| self.damaged(&error))?;
        if content.version == VERSION {
            Ok(content.tokens)
        } else {
            Err(StoreError::Damaged {
                path: self.path.clone(),
                line: 1,
            })
        }
    }

    // the parser's own words may quote a token
    fn damaged(&self, error: &serde_json::Error) -> StoreError {
        StoreError::Damaged {
            path: self.path.clone(),
            line: error.line().max(1),
        }
    }
}

impl Locked {
    /// The tokens of an app on a site, if there are any.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get(&self, whose: &Whose) -> Result<Option<Tokens>, StoreError> {
        self.store.get(whose)
    }

    /// Keeps tokens in place of those that were there; durable when it returns.
    ///
    /// # Errors
    /// A [`StoreError`]; the old content is there still.
    pub fn put(&self, whose: &Whose, tokens: &Tokens) -> Result<(), StoreError> {
        let path = &self.store.path;
        let mut entries = self.store.read()?;
        let mut entry = Entry::new(whose, tokens);
        if let Some(old) = entries.iter().find(|entry| entry.is_of(whose)) {
            entry.site = entry.site.or_else(|| old.site.clone());
            entry.cloud_id = entry.cloud_id.or_else(|| old.cloud_id.clone());
        }
        entries.retain(|entry| !entry.is_of(whose));
        entries.push(entry);
        let content = Content {
            version: VERSION,
            tokens: entries,
        };
        let mut bytes = serde_json::to_vec_pretty(&content)
            .map_err(|error| file("write", path, error.into()))?;
        bytes.push(b'\n');
        replace(path, &bytes).map_err(|source| file("write", path, source))
    }
}

fn file(doing: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::File {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// Writes beside, syncs, renames, and syncs the folder: the name is as durable as the content.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    // what a killed process left behind; its permissions are not ours to trust
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut new = options
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&beside)?;
    new.write_all(bytes)?;
    new.sync_all()?;
    fs::rename(&beside, path)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

impl Entry {
    fn new(whose: &Whose, tokens: &Tokens) -> Self {
        Self {
            client_id: whose.client_id.clone(),
            site: whose.site.clone(),
            cloud_id: whose.cloud_id.clone(),
            access_token: tokens.access.token.expose_secret().to_owned(),
            expires_at: tokens.access.expires_at,
            lives_seconds: tokens.access.life.as_secs(),
            refresh_token: tokens.refresh.expose_secret().to_owned(),
            refreshed_at: tokens.refreshed_at,
            consented_at: tokens.consented_at,
            consent_is_older: tokens.consent_is_older,
            scopes: tokens.scopes.clone(),
            replaced: tokens.replaced.clone(),
        }
    }

    /// A job may name the site by address or by cloud id.
    fn is_of(&self, whose: &Whose) -> bool {
        let same = |one: &Option<String>, other: &Option<String>| one.is_some() && one == other;
        self.client_id == whose.client_id
            && (same(&self.site, &whose.site) || same(&self.cloud_id, &whose.cloud_id))
    }
}

impl From<Entry> for Tokens {
    fn from(entry: Entry) -> Self {
        Self {
            access: Access {
                token: entry.access_token.into(),
                expires_at: entry.expires_at,
                life: Duration::from_secs(entry.lives_seconds),
            },
            refresh: entry.refresh_token.into(),
            refreshed_at: entry.refreshed_at,
            consented_at: entry.consented_at,
            consent_is_older: entry.consent_is_older,
            scopes: entry.scopes,
            replaced: entry.replaced,
        }
    }
}

#[cfg(test)]
impl Tokens {
    /// Tokens of no consent in particular.
    pub(super) fn of_test() -> Self {
        Self {
            access: Access {
                token: "access-1".into(),
                expires_at: 3_600_000,
                life: Duration::from_hours(1),
            },
            refresh: "refresh-1".into(),
            refreshed_at: 0,
            consented_at: 0,
            consent_is_older: false,
            scopes: vec!["read:product:jira-service-management".to_owned()],
            replaced: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn whose(site: Option<&str>, cloud_id: Option<&str>) -> Whose {
        Whose {
            client_id: "app".to_owned(),
            site: site.map(str::to_owned),
            cloud_id: cloud_id.map(str::to_owned),
        }
    }

    fn refresh_of(store: &Store, whose: &Whose) -> Option<String> {
        let tokens = store.get(whose).unwrap()?;
        Some(tokens.refresh.expose_secret().to_owned())
    }

    #[test]
    fn tokens_are_found_by_address_or_cloud_id_and_kept_apart_by_app() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("deeper/tokens.json"));
        let acme = whose(Some("https://acme.example"), Some("c-1"));
        assert_eq!(refresh_of(&store, &acme), None);
        store
            .lock()
            .unwrap()
            .put(&acme, &Tokens::of_test())
            .unwrap();
        for known in [
            whose(Some("https://acme.example"), None),
            whose(None, Some("c-1")),
        ] {
            assert_eq!(refresh_of(&store, &known).as_deref(), Some("refresh-1"));
        }
        let other = Whose {
            client_id: "other".to_owned(),
            ..acme.clone()
        };
        for unknown in [other, whose(None, None), whose(None, Some("c-2"))] {
            assert_eq!(refresh_of(&store, &unknown), None);
        }
        // by one name, and still found by the other
        let next = Tokens {
            refresh: "refresh-2".into(),
            ..Tokens::of_test()
        };
        let by_id = whose(None, Some("c-1"));
        store.lock().unwrap().put(&by_id, &next).unwrap();
        assert_eq!(refresh_of(&store, &acme).as_deref(), Some("refresh-2"));
        let text = fs::read_to_string(store.path()).unwrap();
        assert!(!text.contains("refresh-1"), "{text}");
    }

    #[test]
    fn the_file_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("tokens.json"));
        let acme = whose(None, Some("c-1"));
        // as left by a process that was killed, and readable for everyone
        fs::write(folder.path().join("tokens.new"), "half").unwrap();
        store
            .lock()
            .unwrap()
            .put(&acme, &Tokens::of_test())
            .unwrap();
        assert_eq!(fs::metadata(store.path()).unwrap().mode() & 0o777, 0o600);
        assert!(!folder.path().join("tokens.new").exists());
        fs::set_permissions(store.path(), fs::Permissions::from_mode(0o640)).unwrap();
        let message = store.get(&acme).err().unwrap().to_string();
        let message = message.replace(&folder.path().display().to_string(), "…");
        insta::assert_snapshot!(message, @"…/tokens.json is open to other users (mode 640); run: chmod 600 …/tokens.json");
    }

    #[test]
    fn a_damaged_file_is_refused_without_being_shown() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("tokens.json"));
        for text in [
            "{\n\"version\": 1, \"tokens\": \"s3cret\"}",
            r#"{"version":2,"tokens":[]}"#,
            "s3cret",
        ] {
            let mut options = OpenOptions::new();
            let file = options.create(true).truncate(true).write(true).mode(0o600);
            file.open(store.path())
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
            let message = store.get(&whose(None, None)).err().unwrap().to_string();
            assert!(
                message.contains("cannot be read as a file of tokens"),
                "{message}"
            );
            assert!(!message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn a_second_writer_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("tokens.json"));
        let acme = whose(None, Some("c-1"));
        let first = store.lock().unwrap();
        let waiting = {
            let (store, acme) = (store.clone(), acme.clone());
            std::thread::spawn(move || refresh_of(&store.lock().unwrap().store, &acme))
        };
        first.put(&acme, &Tokens::of_test()).unwrap();
        drop(first);
        assert_eq!(waiting.join().unwrap().as_deref(), Some("refresh-1"));
    }

    #[test]
    fn the_tokens_that_were_replaced_are_known_again() {
        let mut tokens = Tokens::of_test();
        for number in 0..20 {
            let given = format!("given-{number}").into();
            tokens.replace(&given);
            tokens.replace(&given);
            assert!(tokens.has_replaced(&given));
        }
        assert!(tokens.has_replaced(&"given-4".into()));
        assert!(!tokens.has_replaced(&"given-3".into()));
    }

    #[test]
    fn a_fingerprint_tells_tokens_apart_and_hides_them() {
        let (one, other) = (fingerprint(&"one".into()), fingerprint(&"other".into()));
        assert_ne!(one, other);
        assert_eq!(one.len(), 64);
        assert_eq!(one, fingerprint(&"one".into()));
    }
}
