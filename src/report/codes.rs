//! The list of result codes as text: what each means and what to do about it.

use crate::model::code::Code;
use std::fmt::Write as _;

/// How far causes and cures are indented.
const INDENT: usize = 9;

/// Every code with its status, cause and cure, in lines of at most `width` characters (40 at least).
#[must_use]
pub fn table(width: usize) -> String {
    let mut text = String::new();
    for code in Code::ALL {
        // writing to a string cannot fail
        let _ = writeln!(text, "{code} ({})", code.status());
        labelled(&mut text, "cause", code.cause(), width.max(40));
        labelled(&mut text, "cure", code.cure(), width.max(40));
        text.push('\n');
    }
    text.pop();
    text
}

/// Writes `  label  words…`, broken between words, each line as far indented as the first.
fn labelled(text: &mut String, label: &str, words: &str, width: usize) {
    let mut line = format!("  {label:<width$}", width = INDENT - 2);
    let mut used = INDENT;
    let mut first = true;
    for word in words.split_whitespace() {
        let length = word.chars().count();
        if !first && used + 1 + length > width {
            text.push_str(&line);
            text.push('\n');
            line = " ".repeat(INDENT);
            used = INDENT;
            first = true;
        }
        if !first {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
        first = false;
    }
    text.push_str(&line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_listed_with_status_cause_and_cure() {
        let text = table(80);
        let first = text.lines().take(12).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(first, @r"
        CSV_TOO_FEW_FIELDS (rejected)
          cause  the CSV record has fewer fields than the header
          cure   add the missing fields on the named line; a line break inside a cell
                 needs quotes around the cell

        CSV_TOO_MANY_FIELDS (rejected)
          cause  the CSV record has more fields than the header
          cure   quote the cell that contains the delimiter on the named line

        CSV_UNCLOSED_QUOTE (rejected)
          cause  a quoted cell starts in this record and is never closed
          cure   close the quote on the named line, or double a quote that belongs to
        ");
    }

    #[test]
    fn every_code_its_cause_and_its_cure_appear_at_any_width() {
        for width in [0, 40, 80, 200] {
            let text = table(width);
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            for code in Code::ALL {
                let entry = format!(
                    "{code} ({}) cause {} cure {}",
                    code.status(),
                    code.cause(),
                    code.cure()
                );
                assert!(words.contains(&entry), "{code} at {width}");
            }
            assert!(
                text.lines()
                    .all(|line| line.chars().count() <= width.max(40)),
                "{width}"
            );
        }
    }
}
