//! An error with all its causes, as one sentence.

use std::error::Error;

/// The error's words, then those of each cause that says something new.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = error.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn causes_follow_once_each() {
        #[derive(Debug, thiserror::Error)]
        #[error("failed to read a.csv")]
        struct Outer(#[source] io::Error);

        let error = Outer(io::Error::other("disk on fire"));
        assert_eq!(chain(&error), "failed to read a.csv: disk on fire");
        assert_eq!(chain(&io::Error::other("alone")), "alone");
    }
}
