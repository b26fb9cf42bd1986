//! Why a sandbox cannot start or go on.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A failure of the sandbox itself, not of a request to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The address could be reached from other machines.
    #[error(
        "the sandbox listens on this machine alone, and {0} can be reached from others; use 127.0.0.1:{port}",
        port = .0.port()
    )]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("failed to listen on {address}; choose another port, or 0 for a free one")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// A file or folder cannot be used.
    #[error("failed to {doing} {}", path.display())]
    File {
        /// What was to be done with it.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another process serves the site.
    #[error("another process uses the sandbox in {}; stop it, or choose another folder", .0.display())]
    Locked(PathBuf),
    /// A line of the journal makes no sense.
    #[error(
        "{}:{line}: damaged: {message}; restore the file, or remove it to begin with an empty site",
        path.display()
    )]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        message: String,
    },
    /// The seed file names another site than the one in the folder.
    #[error(
        "the seed is for cloud id {seed}, and {} holds the site {found}; choose another folder",
        path.display()
    )]
    OtherSite {
        /// The journal.
        path: PathBuf,
        /// The seed's cloud id.
        seed: uuid::Uuid,
        /// The site's.
        found: uuid::Uuid,
    },
    /// The seed file is wrong.
    #[error("{}:{line}: {message}", path.display())]
    Seed {
        /// The seed file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there, and what to do.
        message: String,
    },
    /// The server ended by itself.
    #[error("the sandbox's server stopped")]
    Server(#[source] io::Error),
    /// A thread of the sandbox ended by a defect.
    #[error("the sandbox's {0} thread panicked; this is a bug")]
    Panicked(&'static str),
}
