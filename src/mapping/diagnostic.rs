//! Faults of a mapping file, shown with file, line, column, a caret and what to do.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::fmt;
use std::ops::Range;

/// Columns a rendered fault may take; longer source lines are cut around the caret.
const WIDTH: usize = 140;

/// One fault: where, what, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    span: Range<usize>,
    message: String,
    label: Option<String>,
    help: Option<String>,
}

impl Fault {
    /// A fault at bytes `span` of the file.
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            label: None,
            help: None,
        }
    }

    /// Words right beside the caret.
    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// What to do about it.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// As [`Fault::help`], where there is something to say.
    pub(super) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// All faults of one mapping file, never empty, in the order of the file.
///
/// `Display` renders each with file, line, column, caret and help, without colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    name: String,
    text: String,
    faults: Vec<Fault>,
}

impl Diagnostics {
    /// The faults of the file `name` with this text.
    pub(super) fn new(name: &str, text: &str, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| (fault.span.start, fault.span.end));
        faults.dedup();
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            faults,
        }
    }

    /// How many faults there are.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "no faults means no diagnostics"
    )]
    pub fn len(&self) -> usize {
        self.faults.len()
    }

    fn render(&self, fault: &Fault) -> String {
        let title = Level::ERROR.primary_title(fault.message.as_str());
        if self.text.is_empty() {
            let help = fault
                .help
                .as_ref()
                .map(|help| format!("; {help}"))
                .unwrap_or_default();
            return format!("error: {}: {}{help}", self.name, fault.message);
        }
        let end = self.text.len();
        let start = fault.span.start.min(end);
        let span = start..fault.span.end.clamp(start, end);
        let mut annotation = AnnotationKind::Primary.span(span);
        if let Some(label) = &fault.label {
            annotation = annotation.label(label.as_str());
        }
        let snippet = Snippet::source(self.text.as_str())
            .path(self.name.as_str())
            .annotation(annotation);
        let help = fault.help.as_deref().map(|help| Level::HELP.message(help));
        let group = title.element(snippet).elements(help);
        Renderer::plain()
            .decor_style(DecorStyle::Ascii)
            .term_width(WIDTH)
            .render(&[group])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            f.write_str(&self.render(fault))?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_stand_in_the_order_of_the_file_with_line_column_caret_and_help() {
        let text = "entity = \"customer\"\r\n[fields]\r\nemail = \"grüße\"\r\n";
        let at = text.find("\"grüße\"").unwrap();
        let faults = vec![
            Fault::new(at..at + 9, "unknown column \"grüße\"").help("did you mean \"gruesse\"?"),
            Fault::new(0..6, "first").label("here"),
        ];
        let diagnostics = Diagnostics::new("m.toml", text, faults);
        assert_eq!(diagnostics.len(), 2);
        insta::assert_snapshot!(diagnostics, @r#"
        error: first
         --> m.toml:1:1
          |
        1 | entity = "customer"
          | ^^^^^^ here

        error: unknown column "grüße"
         --> m.toml:3:9
          |
        3 | email = "grüße"
          |         ^^^^^^^
          |
          = help: did you mean "gruesse"?
        "#);
    }

    #[test]
    fn a_fault_outside_the_text_and_an_empty_file_still_render() {
        let beyond = Diagnostics::new("m.toml", "a = 1", vec![Fault::new(90..99, "gone")]);
        insta::assert_snapshot!(beyond, @r"
        error: gone
         --> m.toml:1:6
          |
        1 | a = 1
          |      ^
        ");
        let empty = Diagnostics::new(
            "m.toml",
            "",
            vec![Fault::new(0..0, "empty").help("fill it")],
        );
        insta::assert_snapshot!(empty, @"error: m.toml: empty; fill it");
    }
}
