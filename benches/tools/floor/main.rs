//! The machine's own limit: what the loader cannot do without, and nothing else. It reads the CSV that `input` makes,
//! writes the same bytes of JSON that the loader makes of it with `benches/customers.toml`, and with `load` sends them in
//! hundreds, several at a time, asks for each task once, keeps a journal that is synced before a request leaves and after
//! its task has ended, and writes a results file. It validates nothing, looks for no duplicates, repeats nothing and cannot
//! be continued. A fault of any kind ends it.
//!
//! ```text
//! floor read INPUT.csv                          reading and JSON: the floor of `check`, on one core
//! floor load INPUT.csv URL FOLDER [IN-FLIGHT]   all of it: the floor of `load`
//! ```

#![expect(clippy::print_stdout, reason = "tells what it did")]

mod connection;
mod journal;
mod payload;

use connection::Connection;
use journal::{Entry, Journal};
use payload::Body;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

type Fault = Box<dyn Error + Send + Sync>;

/// Rows of a request.
const ROWS: usize = 100;

fn main() -> Result<(), Fault> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let (rows, bytes) = match words[..] {
        ["read", input] => read(Path::new(input), |_| Ok(()))?,
        ["load", input, url, folder] => load(input, url, folder, 16)?,
        ["load", input, url, folder, in_flight] => load(input, url, folder, in_flight.parse()?)?,
        _ => return Err("usage: floor read INPUT | load INPUT URL FOLDER [IN-FLIGHT]".into()),
    };
    println!("{rows} rows, {bytes} bytes");
    Ok(())
}

/// Reads the input and makes bodies of it; how many rows and bytes.
fn read(
    input: &Path,
    mut each: impl FnMut(Body) -> Result<(), Fault>,
) -> Result<(u64, u64), Fault> {
    let mut reader = csv::Reader::from_path(input)?;
    let mut record = csv::StringRecord::new();
    let (mut rows, mut bytes) = (0, 0);
    let mut body = Body::new();
    while reader.read_record(&mut record)? {
        body.push(&record)?;
        rows += 1;
        if body.keys.len() == ROWS {
            let full = std::mem::replace(&mut body, Body::new()).finish();
            bytes += full.json.len() as u64;
            each(full)?;
        }
    }
    if !body.keys.is_empty() {
        let last = body.finish();
        bytes += last.json.len() as u64;
        each(last)?;
    }
    Ok((rows, bytes))
}

fn load(input: &str, url: &str, folder: &str, in_flight: usize) -> Result<(u64, u64), Fault> {
    let folder = Path::new(folder);
    let address = url.strip_prefix("http://").ok_or("not an http:// URL")?;
    let mut journal = Journal::create(&folder.join("journal"))?;
    let mut results = BufWriter::new(File::create(folder.join("results.csv"))?);
    writeln!(results, "key,status,task")?;
    let (to_send, bodies) = sync_channel::<Body>(2 * in_flight);
    let bodies = Mutex::new(bodies);
    let (to_results, ended) = sync_channel::<(Body, String)>(2 * in_flight);
    let read = thread::scope(|scope| {
        let senders: Vec<_> = (0..in_flight)
            .map(|_| {
                let (noted, ended) = (journal.sender(), to_results.clone());
                let bodies = &bodies;
                scope.spawn(move || send(address, bodies, &noted, &ended))
            })
            .collect();
        drop(to_results);
        let written = scope.spawn(move || write(results, ended));
        let read = read(Path::new(input), |body| Ok(to_send.send(body)?));
        drop(to_send);
        for sender in senders {
            sender.join().map_err(|_| "a sender panicked")??;
        }
        written.join().map_err(|_| "the writer panicked")??;
        read
    })?;
    journal.finish()?;
    Ok(read)
}

/// One of several at a time: takes a body, sends it, waits for its task.
fn send(
    address: &str,
    bodies: &Mutex<Receiver<Body>>,
    journal: &SyncSender<Entry>,
    ended: &SyncSender<(Body, String)>,
) -> Result<(), Fault> {
    let mut connection = Connection::open(address)?;
    loop {
        let next = bodies.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(body) = next else { return Ok(()) };
        let first = &body.keys[0];
        journal::note(journal, format!("sending {first}"))?;
        let accepted = connection.post("/bulk", &body.json)?;
        let task = accepted
            .split_once("\"id\":\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .ok_or("the answer names no task")?;
        let state = connection.get(&format!("/tasks/{}", task.0))?;
        if !state.contains("FINISHED") {
            return Err(format!("the task is not finished: {state}").into());
        }
        journal::note(journal, format!("loaded {first} {}", task.0))?;
        ended.send((body, task.0.to_owned()))?;
    }
}

fn write(mut results: BufWriter<File>, ended: Receiver<(Body, String)>) -> Result<(), Fault> {
    for (body, task) in ended {
        for key in &body.keys {
            writeln!(results, "{key},loaded,{task}")?;
        }
    }
    Ok(results.into_inner()?.sync_all()?)
}
