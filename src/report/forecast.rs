//! What a load would do and take, as text.

use super::figures::{count, counted, duration};
use crate::model::entity::Entity;
use std::fmt;
use std::time::Duration;

/// What one way would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaySummary {
    /// How long.
    pub took: Duration,
    /// Rows by single calls, of a way that has tasks too.
    pub by_calls: u64,
    /// Tasks.
    pub tasks: u64,
    /// Requests, polls among them.
    pub requests: u64,
    /// Points of the hourly quota.
    pub points: u64,
}

/// What would become of a stage's rows.
#[derive(Debug)]
pub struct ForecastSummary<'a> {
    /// What the rows are.
    pub entity: Entity,
    /// Rows read.
    pub rows: u64,
    /// Rows by what would become of them, in the order in which they are shown.
    pub shares: &'a [(&'static str, u64)],
    /// The ways that rows may go, each with its name.
    pub ways: &'a [(&'static str, WaySummary)],
    /// What was assumed, a sentence each.
    pub assumed: &'a [String],
    /// What a person should mend or know before, a sentence each.
    pub warnings: &'a [String],
}

/// Writes it.
///
/// # Errors
/// When the formatter refuses.
pub fn write_forecast(f: &mut impl fmt::Write, forecast: &ForecastSummary<'_>) -> fmt::Result {
    let ForecastSummary {
        entity,
        rows,
        shares,
        ways,
        assumed,
        warnings,
    } = forecast;
    writeln!(
        f,
        "{entity}: {} read; nothing was sent",
        counted(*rows, "row")
    )?;
    let width = shares.iter().map(|(_, rows)| count(*rows).len()).max();
    let names = shares.iter().map(|(name, _)| name.len()).max();
    let (width, names) = (width.unwrap_or(0), names.unwrap_or(0));
    for (name, rows) in *shares {
        writeln!(f, "  {name:<names$}  {:>width$}", count(*rows))?;
    }
    for (name, way) in *ways {
        write!(f, "  {name}: about {}, ", duration(way.took))?;
        if way.by_calls > 0 {
            write!(f, "{} by single calls, ", counted(way.by_calls, "row"))?;
        }
        if way.tasks > 0 {
            write!(f, "{}, ", counted(way.tasks, "task"))?;
        }
        writeln!(
            f,
            "{}, {}",
            counted(way.requests, "request"),
            counted(way.points, "quota point")
        )?;
    }
    for sentence in *assumed {
        writeln!(f, "  assumed: {sentence}")?;
    }
    for sentence in *warnings {
        writeln!(f, "  warning: {sentence}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_table_with_what_was_assumed_below() {
        let forecast = ForecastSummary {
            entity: Entity::Customer,
            rows: 2_000,
            shares: &[("create or update", 1_500), ("reject", 500)],
            ways: &[
                (
                    "by bulk requests",
                    WaySummary {
                        took: Duration::from_secs(65),
                        by_calls: 0,
                        tasks: 15,
                        requests: 90,
                        points: 165,
                    },
                ),
                (
                    "by both",
                    WaySummary {
                        took: Duration::from_secs(40),
                        by_calls: 600,
                        tasks: 9,
                        requests: 654,
                        points: 699,
                    },
                ),
            ],
            assumed: &["a call takes 300 ms".to_owned()],
            warnings: &["beware".to_owned()],
        };
        let mut text = String::new();
        write_forecast(&mut text, &forecast).unwrap();
        insta::assert_snapshot!(text, @"
        customer: 2,000 rows read; nothing was sent
          create or update  1,500
          reject              500
          by bulk requests: about 1 m 05 s, 15 tasks, 90 requests, 165 quota points
          by both: about 40 s, 600 rows by single calls, 9 tasks, 654 requests, 699 quota points
          assumed: a call takes 300 ms
          warning: beware
        ");
    }
}
