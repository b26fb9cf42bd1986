//! What the values of a chunk are put into: one buffer for all texts, and the reasons found on the way.

use crate::model::code::ReasonCode;
use crate::model::row::Reason;
use std::ops::Range;

/// A part of a draft's texts, or of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The span of a range.
    ///
    /// # Panics
    /// When it ends beyond 4 GiB: chunks are bounded far below that.
    pub(super) fn new(range: Range<usize>) -> Self {
        let bound = |at| u32::try_from(at).unwrap_or_else(|_| panic!("a chunk over 4 GiB"));
        Self {
            start: bound(range.start),
            end: bound(range.end),
        }
    }

    /// The range of a span.
    pub(super) const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A part of a value that has several.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// The text as it is sent.
    pub(super) text: Span,
    /// The same folded for comparison, in references.
    pub(super) folded: Span,
}

/// A value of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    /// There is none.
    Null,
    /// It cannot be known: a cell before it could not be read.
    Unknown,
    /// One text; that of a rejected row need not be valid. Rows may share it.
    One(Span),
    /// Some of the draft's parts. Rows may share them.
    Many(Span),
}

/// A reason found for a row.
#[derive(Debug)]
pub(super) struct RowFault {
    pub(super) row: usize,
    pub(super) order: u32,
    pub(super) reason: Reason,
}

/// Where values and faults are put.
#[derive(Debug, Default)]
pub(super) struct Sink {
    pub(super) text: String,
    pub(super) parts: Vec<Part>,
    pub(super) faults: Vec<RowFault>,
}

impl Sink {
    /// Keeps a text.
    pub(super) fn put(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(text);
        Span::new(start..self.text.len())
    }

    /// A text that was kept.
    pub(super) fn get(&self, span: Span) -> &str {
        &self.text[span.range()]
    }

    /// The parts of a value that has several.
    pub(super) fn parts(&self, span: Span) -> &[Part] {
        &self.parts[span.range()]
    }

    /// Notes a reason.
    pub(super) fn fault(
        &mut self,
        row: usize,
        order: u32,
        code: impl Into<ReasonCode>,
        field: Option<&str>,
        message: impl Into<String>,
    ) {
        let reason = Reason {
            code: code.into(),
            field: field.map(str::to_owned),
            message: message.into(),
        };
        self.faults.push(RowFault { row, order, reason });
    }

    /// Notes the reasons of another row for this one too.
    pub(super) fn fault_again(&mut self, faults: Range<usize>, row: usize) {
        for known in faults {
            let RowFault { order, reason, .. } = &self.faults[known];
            let (order, reason) = (*order, reason.clone());
            self.faults.push(RowFault { row, order, reason });
        }
    }
}
