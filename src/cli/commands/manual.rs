//! `csm-loader completions` and `csm-loader man`: what shells and `man` want to know of the command line.

use crate::cli::args::Args;
use crate::cli::exit::{Exit, Failure};
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::{self, Write};
use std::path::Path;

/// The program's name.
const NAME: &str = "csm-loader";

/// Prints a completion script.
pub(in crate::cli) fn completions(shell: Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), NAME, &mut script);
    // a reader that goes away has seen enough
    let _ = io::stdout().write_all(&script);
    Exit::Done
}

/// Writes the manual pages, as roff.
///
/// # Errors
/// When the folder cannot be written.
pub(in crate::cli) fn pages(folder: Option<&Path>) -> Result<Exit, Failure> {
    let failed = |error: io::Error| {
        Failure::new(
            Exit::Input,
            format!("failed to write the manual pages: {error}"),
        )
    };
    let mut command = Args::command().disable_help_subcommand(true);
    command.build();
    let mut commands = vec![command];
    let mut all = Vec::new();
    while let Some(command) = commands.pop() {
        let page = Man::new(command.clone());
        let mut text = Vec::new();
        page.render(&mut text).map_err(failed)?;
        all.push((page.get_filename(), text));
        commands.extend(command.get_subcommands().cloned());
    }
    all.sort();
    match folder {
        Some(folder) => {
            let failed = |error| {
                let name = folder.display();
                let message = if folder.is_file() {
                    format!("{name} is a file; name a folder for the manual pages")
                } else {
                    format!("failed to write the manual pages to {name}: {error}")
                };
                Failure::new(Exit::Input, message)
            };
            std::fs::create_dir_all(folder).map_err(failed)?;
            for (name, text) in &all {
                std::fs::write(folder.join(name), text).map_err(failed)?;
            }
        }
        None => {
            for (_, text) in &all {
                // a reader that goes away has seen enough
                let _ = io::stdout().write_all(text);
            }
        }
    }
    Ok(Exit::Done)
}
