//! The truth about every row: whatever tasks say of them, results are what the site holds.
//!
//! | module | what |
//! | --- | --- |
//! | `cell` | a kind of site, and one load into it |
//! | `world` | a site, a job, and results beside what the site holds |
//! | `counted` | the requests that the summary counts, against those that the site saw |
//! | `names` | what is known by its name alone: products, and what rows refer to |
//! | `poison`, `refused` | whole requests refused for one bad row; for none |
//! | `repair` | associations that did not arrive, and other parts of a record that did not |
//! | `depth` | how much is read back |
//! | `single` | the single route |

mod cell;
mod counted;
mod depth;
mod names;
mod poison;
mod refused;
mod repair;
mod single;
mod world;

use cell::{Cell, End, Found, Names, Written};
use std::iter;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Runs so many at once: cells wait for their sites, not for a processor.
const AT_ONCE: usize = 16;

fn cells(found: Found) -> Vec<Cell> {
    let mut cells = Vec::new();
    for end in [End::Finished, End::Failed] {
        for written in [Written::All, Written::Nothing, Written::Partly] {
            for names in [Names::Row, Names::Half, Names::None, Names::Empty] {
                for lag in [false, true] {
                    for dropped in [false, true] {
                        cells.push(Cell {
                            end,
                            written,
                            names,
                            lag,
                            dropped,
                            found,
                        });
                    }
                }
            }
        }
    }
    cells
}

/// Loads into each of them; all that is wrong, as sentences.
fn faults(cells: &[Cell]) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let work = || {
        let turns = iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let cells = turns.map_while(|turn| cells.get(turn));
        cells.flat_map(|cell| cell.faults()).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        let faults = workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap());
        faults.collect()
    })
}

#[track_caller]
fn expect_truth(cells: &[Cell]) {
    let faults = faults(cells);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn rows_found_by_their_key_are_told_as_the_site_holds_them_whatever_their_task_says() {
    let cells = cells(Found::ByKeyDetail);
    assert_eq!(cells.len(), 96);
    expect_truth(&cells);
}

#[test]
fn rows_found_by_the_user_search_are_told_as_the_site_holds_them() {
    let cells = cells(Found::ByUserSearch);
    // how they are found does not change how they are judged: half of the cells
    let half: Vec<_> = cells.into_iter().filter(|cell| !cell.dropped).collect();
    expect_truth(&half);
}

#[test]
fn rows_that_cannot_be_found_again_are_unconfirmed_in_these_cells_and_in_no_other() {
    let mut cells = cells(Found::Nowhere);
    // what cannot be read cannot lag, nor can its associations be seen; and where a task that FINISHED keeps its
    // failures to itself nothing in the world tells that a row is not there
    cells.retain(|cell| !cell.lag && !cell.dropped && !cell.is_silent());
    expect_truth(&cells);
}
