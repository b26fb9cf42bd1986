//! Patterns over digits as automata: what a pattern says of every digit string, without the pattern.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};
use std::collections::HashMap;
use std::hash::Hash;

/// States with an output each, and the state that each digit leads to; the first one is where reading starts.
#[derive(Debug, Clone, Default)]
pub(super) struct Automaton {
    pub(super) outputs: Vec<u16>,
    pub(super) next: Vec<[usize; 10]>,
}

impl Automaton {
    /// The smallest automaton whose states are `start` and what `step` makes of it.
    pub(super) fn explore<S: Clone + Eq + Hash>(
        start: S,
        step: impl Fn(&S, u8) -> S,
        output: impl Fn(&S) -> u16,
    ) -> Self {
        let mut numbers = HashMap::from([(start.clone(), 0)]);
        let mut states = vec![start];
        let mut found = Self::default();
        while let Some(state) = states.get(found.next.len()).cloned() {
            found.outputs.push(output(&state));
            let next = std::array::from_fn(|digit| {
                let state = step(&state, u8::try_from(digit).unwrap());
                *numbers.entry(state).or_insert_with_key(|state| {
                    states.push(state.clone());
                    states.len() - 1
                })
            });
            found.next.push(next);
            assert!(states.len() < 1_000_000, "a pattern without an end");
        }
        found.minimal(&[0]).0
    }

    /// The same with no two states that mean the same, and where `roots` are in it. States keep their order.
    pub(super) fn minimal(&self, roots: &[usize]) -> (Self, Vec<usize>) {
        let mut classes: Vec<usize> = self.outputs.iter().map(|o| usize::from(*o)).collect();
        let mut count = 0;
        loop {
            let mut numbers = HashMap::new();
            let refined: Vec<usize> = (0..classes.len())
                .map(|state| {
                    let key = (classes[state], self.next[state].map(|next| classes[next]));
                    let number = numbers.len();
                    *numbers.entry(key).or_insert(number)
                })
                .collect();
            classes = refined;
            if numbers.len() == count {
                break;
            }
            count = numbers.len();
        }
        let mut smallest = Self::default();
        for (state, class) in classes.iter().enumerate() {
            if *class == smallest.next.len() {
                smallest.outputs.push(self.outputs[state]);
                smallest
                    .next
                    .push(self.next[state].map(|next| classes[next]));
            }
        }
        (smallest, roots.iter().map(|root| classes[*root]).collect())
    }

    /// All of them in one, and where each starts.
    pub(super) fn join(parts: &[Self]) -> (Self, Vec<usize>) {
        let mut joined = Self::default();
        let mut roots = Vec::new();
        for part in parts {
            let root = joined.next.len();
            roots.push(root);
            joined.outputs.extend(&part.outputs);
            let next = part.next.iter().map(|next| next.map(|state| state + root));
            joined.next.extend(next);
        }
        joined.minimal(&roots)
    }

    /// Whether the pattern is found at the start of the digits (1) or not (0).
    pub(super) fn found_at_start(pattern: &str) -> Self {
        let program = Program::new(pattern);
        let known = Search {
            best: Some((0, false)),
            ..Search::default()
        };
        Self::explore(
            Search::start(&program),
            |search, digit| match search.step(&program, digit) {
                Search { best: Some(_), .. } => known.clone(),
                search => search,
            },
            |search| u16::from(search.found(&program).is_some()),
        )
    }

    /// What `leading` makes of where the pattern's first match ends, when it is at the start of the digits, and of
    /// whether the last group has a part in it.
    pub(super) fn match_at_start(
        pattern: &str,
        leading: impl Fn(Option<(usize, bool)>) -> u16,
    ) -> Self {
        let program = Program::new(pattern);
        Self::explore(
            Search::start(&program),
            |search, digit| search.step(&program, digit),
            |search| leading(search.found(&program)),
        )
    }
}

/// A pattern's steps, from the first to be tried.
#[derive(Debug, Default)]
struct Program {
    steps: Vec<Step>,
    start: usize,
}

#[derive(Debug)]
enum Step {
    /// One of these digits, then a step.
    Digit([bool; 10], usize),
    /// The first of these steps that leads to a match.
    Either(Vec<usize>),
    /// The last group has matched.
    Grouped(usize),
    /// Only where the digits end.
    AtEnd(usize),
    Match,
}

impl Program {
    fn new(pattern: &str) -> Self {
        let mut parser = ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .ignore_whitespace(true)
            .build();
        let hir = parser.parse(pattern).unwrap();
        let groups = hir.properties().explicit_captures_len();
        let mut program = Self::default();
        let end = program.push(Step::Match);
        program.start = program.compile(&hir, u32::try_from(groups).unwrap(), end);
        program
    }

    fn push(&mut self, step: Step) -> usize {
        self.steps.push(step);
        self.steps.len() - 1
    }

    fn compile(&mut self, hir: &Hir, last_group: u32, next: usize) -> usize {
        match hir.kind() {
            HirKind::Empty => next,
            HirKind::Literal(literal) => literal.0.iter().rev().fold(next, |next, byte| {
                self.push(Step::Digit(digits(*byte, *byte), next))
            }),
            HirKind::Class(Class::Bytes(class)) => {
                let mut all = [false; 10];
                for range in class.iter() {
                    let these = digits(range.start(), range.end());
                    all = std::array::from_fn(|digit| all[digit] || these[digit]);
                }
                self.push(Step::Digit(all, next))
            }
            HirKind::Look(Look::End) => self.push(Step::AtEnd(next)),
            HirKind::Repetition(times) => {
                assert!(times.greedy, "{hir}");
                let most = times.max.expect("a number has an end");
                let mut entry = next;
                for _ in times.min..most {
                    let once = self.compile(&times.sub, last_group, entry);
                    entry = self.push(Step::Either(vec![once, next]));
                }
                (0..times.min).fold(entry, |next, _| self.compile(&times.sub, last_group, next))
            }
            HirKind::Capture(group) => {
                let next = if group.index == last_group {
                    self.push(Step::Grouped(next))
                } else {
                    next
                };
                self.compile(&group.sub, last_group, next)
            }
            HirKind::Concat(parts) => parts
                .iter()
                .rev()
                .fold(next, |next, part| self.compile(part, last_group, next)),
            HirKind::Alternation(parts) => {
                let parts = parts
                    .iter()
                    .map(|part| self.compile(part, last_group, next))
                    .collect();
                self.push(Step::Either(parts))
            }
            kind => panic!("{kind:?}"),
        }
    }
}

/// Which digits lie from one byte to another.
fn digits(first: u8, last: u8) -> [bool; 10] {
    std::array::from_fn(|digit| (first..=last).contains(&(b'0' + u8::try_from(digit).unwrap())))
}

/// A leftmost-first search that starts with the first digit and has read some.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Search {
    read: usize,
    /// Steps to go on with, the best first, and whether the last group has matched on the way there.
    threads: Vec<(usize, bool)>,
    /// The end of the best match so far, and whether the last group has matched: any thread leads to a better one.
    best: Option<(usize, bool)>,
}

impl Search {
    fn start(program: &Program) -> Self {
        Self {
            threads: vec![(program.start, false)],
            ..Self::default()
        }
    }

    fn step(&self, program: &Program, digit: u8) -> Self {
        let (threads, matched) = self.open(program, false);
        let mut next = Vec::new();
        for (step, grouped) in threads {
            if let Step::Digit(digits, after) = &program.steps[step]
                && digits[usize::from(digit)]
            {
                next.push((*after, grouped));
            }
        }
        Self {
            read: if next.is_empty() { 0 } else { self.read + 1 },
            threads: next,
            best: matched.map(|grouped| (self.read, grouped)).or(self.best),
        }
    }

    /// The match, when no more digits come.
    fn found(&self, program: &Program) -> Option<(usize, bool)> {
        let (_, matched) = self.open(program, true);
        matched.map(|grouped| (self.read, grouped)).or(self.best)
    }

    /// The steps that wait for a digit, up to the first match; the match.
    fn open(&self, program: &Program, at_end: bool) -> (Vec<(usize, bool)>, Option<bool>) {
        let mut seen = vec![false; program.steps.len()];
        let mut waiting = Vec::new();
        let mut todo: Vec<_> = self.threads.iter().rev().copied().collect();
        while let Some((step, grouped)) = todo.pop() {
            if std::mem::replace(&mut seen[step], true) {
                continue;
            }
            match &program.steps[step] {
                Step::Digit(..) => waiting.push((step, grouped)),
                Step::Either(steps) => todo.extend(steps.iter().rev().map(|step| (*step, grouped))),
                Step::Grouped(next) => todo.push((*next, true)),
                Step::AtEnd(next) if at_end => todo.push((*next, grouped)),
                Step::AtEnd(_) => {}
                Step::Match => return (waiting, Some(grouped)),
            }
        }
        (waiting, None)
    }
}
