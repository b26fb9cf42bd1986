//! One line for each thing that was looked at.

use crate::cli::exit::Exit;
use std::io::{self, Write};

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// As it should be.
    Ok,
    /// A load may work, or not all of it.
    Warn,
    /// A load cannot work.
    Fail,
    /// It was not looked at.
    Skip,
}

impl Mark {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok  ",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "-   ",
        }
    }
}

/// Says lines as they come, and remembers the worst.
#[derive(Debug, Default)]
pub(super) struct Lines {
    failed: bool,
}

impl Lines {
    pub(super) fn say(&mut self, mark: Mark, about: &str, text: &str) {
        self.failed |= mark == Mark::Fail;
        // nobody needs to read it
        let _ = writeln!(io::stdout(), "{}", line(mark, about, text));
    }

    /// How the program ends.
    pub(super) fn exit(&self) -> Exit {
        if self.failed { Exit::Input } else { Exit::Done }
    }
}

/// The continuation of a text that has several lines stands below its first.
fn line(mark: Mark, about: &str, text: &str) -> String {
    let text = text.trim_end().replace('\n', "\n      ");
    format!("{}  {about}: {text}", mark.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_its_mark() {
        insta::assert_snapshot!(line(Mark::Warn, "clock", "two\nlines"), @r"
        warn  clock: two
              lines
        ");
        assert_eq!(line(Mark::Ok, "site", "x"), "ok    site: x");
        assert_eq!(line(Mark::Skip, "slots", "x"), "-     slots: x");
    }

    #[test]
    fn warnings_do_not_fail() {
        let mut lines = Lines::default();
        lines.say(Mark::Warn, "a", "b");
        assert_eq!(lines.exit(), Exit::Done);
        lines.say(Mark::Fail, "a", "b");
        assert_eq!(lines.exit(), Exit::Input);
    }
}
