//! The built binary as a process.

use super::wait_for;
use std::io::{Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// A running process; killed when dropped.
pub(crate) struct Process {
    child: Child,
    stdout: Heard,
    stderr: Heard,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; `None` after a deadly signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The same, if it ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Everything that was said.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The summary, without times and speeds.
    pub(crate) fn steady(&self) -> String {
        let mut said = String::new();
        for line in self.stdout.lines() {
            said.push_str(&without_times(line));
            said.push('\n');
        }
        said
    }
}

/// `3 rows in 0.1 s, 27 rows/s, 1 write request` as `3 rows in …, 1 write request`.
fn without_times(line: &str) -> String {
    let Some((rows, rest)) = line
        .split_once(" in ")
        .filter(|(rows, _)| rows.contains(" row"))
    else {
        return line.to_owned();
    };
    let rest = rest.split_once(" s").map_or("", |(_, rest)| rest);
    let rest = rest.split_once(" rows/s").map_or(rest, |(_, rest)| rest);
    format!("{rows} in …{rest}")
}

impl Process {
    /// Starts the binary in a folder, with these variables and no others.
    pub(crate) fn start(
        folder: &Path,
        args: &[String],
        env: &[(&str, &str)],
        stdin: Option<&[u8]>,
    ) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_csm-loader"))
            .args(args)
            .current_dir(folder)
            .env_clear()
            .env("TMPDIR", folder)
            .envs(env.iter().copied())
            .stdin(if stdin.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        if let (Some(bytes), Some(mut pipe)) = (stdin, child.stdin.take()) {
            let bytes = bytes.to_vec();
            // a process that ends before it has read everything is for the test to judge
            thread::spawn(move || pipe.write_all(&bytes));
        }
        let stdout = Heard::listen(child.stdout.take().expect("a pipe"));
        let stderr = Heard::listen(child.stderr.take().expect("a pipe"));
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// Waits until it ends by itself.
    pub(crate) fn end(mut self) -> Ended {
        let status = wait_for("the end of the process", || {
            self.child.try_wait().expect("a process to wait for")
        });
        Ended {
            code: status.code(),
            stdout: self.stdout.end(),
            stderr: self.stderr.end(),
        }
    }

    /// Waits until standard error holds this.
    pub(crate) fn says(&mut self, text: &str) {
        let waited = format!("{text:?} on standard error");
        wait_for(&waited, || {
            if self.stderr.so_far().contains(text) {
                return Some(());
            }
            let ended = self.child.try_wait().expect("a process to wait for");
            assert!(
                ended.is_none() || self.stderr.so_far().contains(text),
                "ended without {waited}: {}",
                self.stderr.so_far()
            );
            None
        });
    }

    /// Waits for a line of standard output that begins so.
    pub(crate) fn line(&self, beginning: &str) -> String {
        wait_for(&format!("a line {beginning:?}…"), || {
            let text = self.stdout.so_far();
            let (whole, _) = text.rsplit_once('\n')?;
            let mut lines = whole.lines();
            lines
                .find(|line| line.starts_with(beginning))
                .map(str::to_owned)
        })
    }

    /// Waits for the first line of standard output.
    pub(crate) fn first_line(&self) -> String {
        wait_for("a line of standard output", || {
            let text = self.stdout.so_far();
            text.split_once('\n').map(|(line, _)| line.to_owned())
        })
    }

    /// Whether it has not ended yet.
    pub(crate) fn runs(&mut self) -> bool {
        let ended = self.child.try_wait().expect("a process to wait for");
        ended.is_none()
    }

    /// Ends it with SIGKILL, if it has not ended yet.
    pub(crate) fn kill(&mut self) {
        // of one that has ended nothing is left to kill, which is as good
        let _ = self.child.kill();
    }

    /// Sends a signal by its name, as in `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let script = format!("kill -{name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &script]).status();
        assert!(sent.expect("a shell").success(), "{script}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // it may have ended, which is as good
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What comes out of a pipe, collected while it comes.
struct Heard {
    text: Arc<Mutex<Vec<u8>>>,
    listener: Option<JoinHandle<()>>,
}

impl Heard {
    fn listen(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&text);
        let listener = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.extend_from_slice(&buffer[..count]);
            }
        });
        Self {
            text,
            listener: Some(listener),
        }
    }

    fn so_far(&self) -> String {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).into_owned()
    }

    fn end(&mut self) -> String {
        if let Some(listener) = self.listener.take() {
            listener.join().expect("a listener");
        }
        self.so_far()
    }
}
