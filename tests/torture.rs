//! The loader is killed with SIGKILL at every point and at any time, continued until it is done, and held to what an
//! undisturbed run on the same site gives, and to the site's audit.
//!
//! | module | what |
//! | --- | --- |
//! | `site` | the job and its site |
//! | `course` | kills and continuations of one job |
//! | `content` | what the rows send |
//! | `judge` | what must hold in the end |

mod content;
mod course;
mod endings;
mod judge;
mod site;

use crate::support::table::Table;
use course::{Chance, Course, Kill};
use csm_loader::model::failpoint::Step;
use judge::{differences, judge, results};
use site::{Field, Job, Manners};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

/// Steps that a load of a job meets that nothing interrupted and that no other takes the place of.
fn ordinary() -> impl Iterator<Item = Step> {
    let special = [Step::Reopen, Step::RunSuperseded, Step::Split];
    Step::ALL
        .into_iter()
        .filter(move |step| !special.contains(step))
}

fn points(steps: impl Iterator<Item = Step>) -> Vec<String> {
    let sides =
        steps.flat_map(|step| ["before", "after"].map(|side| format!("{}.{side}", step.name())));
    sides.collect()
}

/// What a load that nothing disturbs gives, and what a second one gives after it.
struct Undisturbed {
    first: Vec<Table>,
    second: Vec<Table>,
}

impl Undisturbed {
    fn with(duplicates: &str, job: Job) -> Self {
        let mut course = Course::on(Field::new(Manners::Documented, 0, duplicates, job));
        course.finish("--quiet");
        let first = results(&course.field);
        course.start("--quiet", &[]).end().expect(4);
        let second = results(&course.field);
        // what is compared says little where nearly nothing is loaded
        let customers = first.last().expect("customers come last");
        let statuses = customers.column("status");
        let loaded = statuses.iter().filter(|status| **status == "loaded");
        assert!(loaded.count() > customers.rows.len() * 3 / 4);
        Self { first, second }
    }

    /// With these duplicates, as to the results of these stages.
    fn of(duplicates: &str, job: Job) -> &'static Self {
        static ALL: LazyLock<Undisturbed> = LazyLock::new(|| Undisturbed::with("last", Job::All));
        static BULK: LazyLock<Undisturbed> = LazyLock::new(|| Undisturbed::with("last", Job::Bulk));
        static ALL_IN_ORDER: LazyLock<Undisturbed> =
            LazyLock::new(|| Undisturbed::with("all-in-order", Job::All));
        static BULK_IN_ORDER: LazyLock<Undisturbed> =
            LazyLock::new(|| Undisturbed::with("all-in-order", Job::Bulk));
        match (duplicates, job) {
            ("last", Job::All) => &ALL,
            ("last", Job::Bulk) => &BULK,
            (_, Job::All) => &ALL_IN_ORDER,
            (_, Job::Bulk) => &BULK_IN_ORDER,
        }
    }
}

/// Kills and continuations.
#[derive(Debug, Default, Clone, Copy)]
struct Figures {
    courses: usize,
    kills: usize,
    resumes: usize,
    /// Rows that were written again.
    again: usize,
}

impl Figures {
    fn add(&mut self, other: Self) {
        self.courses += other.courses;
        self.kills += other.kills;
        self.resumes += other.resumes;
        self.again += other.again;
    }
}

/// Ends a course, and checks what it left.
fn conclude(mut course: Course, manners: Manners, duplicates: &str, figures: &mut Figures) {
    let job = course.field.job;
    course.finish("--quiet");
    let verdict = judge(&course.field);
    let mut faults = verdict.faults;
    if manners == Manners::Documented {
        let undisturbed = Undisturbed::of(duplicates, job);
        faults.push(differences(&results(&course.field), &undisturbed.first));
        assert_eq!(verdict.again, 0);
    }
    faults.retain(|fault| !fault.is_empty());
    assert!(
        faults.is_empty(),
        "{}\n\n{}",
        faults.join("\n"),
        course.story.join("\n")
    );
    if manners == Manners::Documented {
        // what is remembered has come through the kills too
        course.start("--quiet", &[]).end().expect(4);
        let second = differences(
            &results(&course.field),
            &Undisturbed::of(duplicates, job).second,
        );
        assert!(
            second.is_empty(),
            "the next load:\n{second}\n\n{}",
            course.story.join("\n")
        );
    }
    figures.courses += 1;
    figures.kills += course.kills;
    figures.resumes += course.resumes;
    figures.again += verdict.again;
}

/// Kills a job at every point of these steps, the first time that it is reached after the last kill; an undisturbed load
/// reaches each.
fn killed_at_every_point(manners: Manners, job: Job, steps: impl Iterator<Item = Step>) {
    let mut figures = Figures::default();
    let mut left = points(steps);
    let all = left.len();
    let mut chance = Chance(4);
    while !left.is_empty() {
        let duplicates = ["last", "all-in-order"][figures.courses % 2];
        let mut course = Course::on(Field::new(manners, 0, duplicates, job));
        let mut unreached = Vec::new();
        while !left.is_empty() && !course.is_over() {
            let point = left.swap_remove(chance.below(left.len()));
            let first = course.kills == 0;
            if course.killed(&Kill::At(point.clone(), 1)).is_some() {
                assert!(
                    !first,
                    "{point} is never reached\n{}",
                    course.story.join("\n")
                );
                unreached.push(point);
            }
        }
        left.append(&mut unreached);
        conclude(course, manners, duplicates, &mut figures);
    }
    assert_eq!(figures.kills, all);
}

#[test]
fn killed_at_every_point_once_the_results_are_those_of_an_undisturbed_run() {
    killed_at_every_point(Manners::Documented, Job::All, ordinary());
}

#[test]
fn killed_at_every_point_of_bulk_requests_too() {
    // names that are missing are created without an intent: they are looked up first
    let steps = ordinary().filter(|step| *step != Step::Calling);
    killed_at_every_point(Manners::Documented, Job::Bulk, steps);
}

#[test]
fn killed_where_rows_are_judged_split_and_sent_again_each_ends_as_the_site_holds_it() {
    let steps = [Step::Calling, Step::Settled, Step::Split, Step::ReadBack];
    killed_at_every_point(Manners::Doubtful, Job::Bulk, steps.into_iter());
}

/// Kills a job anywhere: two in three times at a point, else at a moment.
fn killed_anywhere(manners: Manners, seed: u32, kills: usize) -> Figures {
    let mut chance = Chance(u64::from(seed) << 32 | manners as u64);
    let mut figures = Figures::default();
    let mut points = points(ordinary());
    points.extend(["reopen.before".to_owned(), "reopen.after".to_owned()]);
    if manners != Manners::Documented {
        points.extend(["split.before".to_owned(), "split.after".to_owned()]);
    }
    while figures.kills < kills {
        let duplicates = ["last", "all-in-order"][chance.below(2)];
        let job = [Job::All, Job::Bulk][chance.below(2)];
        let site = seed + u32::try_from(figures.courses).expect("fewer courses");
        let mut course = Course::on(Field::new(manners, site, duplicates, job));
        for _ in 0..=chance.below(8) {
            let kill = if chance.below(3) == 0 {
                Kill::After(Duration::from_millis(chance.below(1_500) as u64))
            } else {
                let count = [1, 1, 1, 2, 3, 4, 6, 9][chance.below(8)];
                Kill::At(points[chance.below(points.len())].clone(), count)
            };
            course.killed(&kill);
            if course.is_over() {
                break;
            }
        }
        conclude(course, manners, duplicates, &mut figures);
    }
    figures
}

/// How many kills are wanted of each policy: so many in the normal suite, and as many as `make torture` says.
fn wanted(otherwise: usize) -> usize {
    std::env::var("CSM_LOADER_TORTURE")
        .map_or(otherwise, |kills| kills.parse().expect("a number of kills"))
}

#[test]
fn killed_anywhere_every_result_is_what_the_site_holds() {
    let asked = Manners::PRESETS
        .map(|manners| thread::spawn(move || killed_anywhere(manners, 1, wanted(6))));
    let mut closing = Vec::new();
    let mut all = Figures::default();
    for (manners, done) in Manners::PRESETS.into_iter().zip(asked) {
        let figures = done.join().expect("what it found is told above");
        closing.push(format!("{} {}", figures.kills, manners.name()));
        all.add(figures);
    }
    println!(
        "torture: {} kills ({}) in {} jobs, {} continuations, {} rows written again after a reading that did not show them",
        all.kills,
        closing.join(", "),
        all.courses,
        all.resumes,
        all.again
    );
}
