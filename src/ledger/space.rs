//! Giving back what is free in the file.

use rusqlite::Connection;

/// This part of the file may be free: the next run fills it.
const SPARE: u64 = 50;

/// Shortens the file by the free pages that are more than is spared.
///
/// # Errors
/// When it cannot be written.
pub(super) fn give_back(db: &Connection) -> rusqlite::Result<()> {
    let number = |pragma: &str| -> rusqlite::Result<u64> {
        db.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
    };
    let (pages, free) = (number("page_count")?, number("freelist_count")?);
    let surplus = free.saturating_sub((pages - free) / SPARE);
    if surplus == 0 {
        return Ok(());
    }
    // each step gives one page back
    let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({surplus})"))?;
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}
