//! `csm-loader state`: what is remembered, moved, pruned or erased.

use crate::api::fold;
use crate::cli::args::{StateArgs, StateCommand};
use crate::cli::exit::{Exit, Failure};
use crate::ledger::{Ledger, LedgerError, Reader, RunState, StateFolder};
use crate::model::entity::Entity;
use crate::model::row::KeyHash;
use crate::report::figures;
use std::io::{self, Write};
use std::path::Path;

/// Does it. No run may be under way.
///
/// # Errors
/// When the state folder is in use, or it or the file cannot be used.
pub(in crate::cli) fn run(args: &StateArgs) -> Result<Exit, Failure> {
    let folder = &args.state.state_dir;
    let done = match &args.command {
        StateCommand::Export { file } => export(folder, file),
        StateCommand::Import { file } => import(folder, file),
        StateCommand::Forget { key, entity } => forget(folder, key, *entity),
        StateCommand::Prune { keep_runs } => prune(folder, *keep_runs),
    };
    let text = done.map_err(|error| Failure::of(Exit::Input, &error))?;
    // a reader that goes away has seen enough
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(Exit::Done)
}

/// The ledger of a folder that has one.
fn open(folder: &Path) -> Result<Ledger, LedgerError> {
    // reading first: a folder that is not there is not made
    if !folder.join("ledger.sqlite").exists() {
        Reader::open(folder)?;
    }
    Ledger::open(StateFolder::open(folder)?)
}

fn export(folder: &Path, file: &Path) -> Result<String, LedgerError> {
    let ledger = open(folder)?;
    ledger.export(file)?;
    Ok(format!(
        "exported {} to {}; it holds keys: keep it to yourself\n{}",
        held(&ledger)?,
        file.display(),
        once(&ledger)?
    ))
}

fn import(folder: &Path, file: &Path) -> Result<String, LedgerError> {
    let ledger = Ledger::import(folder, file)?;
    Ok(format!(
        "imported {} into {}\n{}",
        held(&ledger)?,
        folder.display(),
        once(&ledger)?
    ))
}

fn held(ledger: &Ledger) -> Result<String, LedgerError> {
    let runs = ledger.reader()?.runs()?;
    Ok(figures::counted(runs.len() as u64, "run"))
}

/// What must not be continued twice.
fn once(ledger: &Ledger) -> Result<String, LedgerError> {
    let runs = ledger.reader()?.runs()?;
    let open = runs.iter().filter(|run| run.state == RunState::Open);
    let lines =
        open.map(|run| format!("run {} is open: continue it on one machine only\n", run.id));
    Ok(lines.collect())
}

fn forget(folder: &Path, key: &str, entity: Option<Entity>) -> Result<String, LedgerError> {
    let forgotten = open(folder)?.forget(key, entity, |entity| natural(entity, key))?;
    Ok(format!(
        "erased from the ledger: the key of {}, and what was remembered of {}; results files and the site are not touched\n",
        figures::counted(forgotten.rows, "row"),
        figures::counted(forgotten.records, "record"),
    ))
}

/// The hashes that a text may have as a natural key: as an e-mail or name, and as the site's id.
fn natural(entity: Entity, key: &str) -> Vec<KeyHash> {
    let folded = match entity {
        Entity::Customer => fold::email(key),
        Entity::DetailField | Entity::Organization | Entity::Product | Entity::Entitlement => {
            fold::name(key)
        }
    };
    vec![
        fold::hash(entity, &folded),
        fold::hash(entity, &format!("\u{0}id:{}", key.trim())),
    ]
}

fn prune(folder: &Path, keep: usize) -> Result<String, LedgerError> {
    let gone = open(folder)?.prune(keep)?;
    let lines = gone.iter().map(|run| format!("removed run {run}\n"));
    Ok(match gone.len() {
        0 => "nothing to remove\n".into(),
        _ => lines.collect(),
    })
}
