//! Which stage of its run a row is of: a decision on what the file says.

use super::ledgered::{KnownRun, KnownStage};
use crate::model::entity::Entity;

/// A column, and what is wrong with a row's cell there.
pub(super) type Misfit = (&'static str, String);

/// What to do about a cell that is not what this program wrote.
pub(super) const RESTORE: &str = "restore it as it was in the results file";
const ONE_STAGE: &str = "retry the results file of one stage at a time";

/// The stage of a row that says this: the only one of the entity, else the only one of these with the file.
pub(super) fn stage_of<'a>(
    run: &'a KnownRun,
    entity: Option<&str>,
    source: Option<&str>,
) -> Result<&'a KnownStage, Misfit> {
    let entity = entity
        .map(str::parse::<Entity>)
        .transpose()
        .map_err(|_| ("entity", format!("this is no kind of record; {RESTORE}")))?;
    let stages: Vec<_> = run
        .stages
        .iter()
        .filter(|stage| entity.is_none_or(|entity| stage.entity == entity))
        .collect();
    match stages.as_slice() {
        [stage] => return Ok(stage),
        [] => {
            let kind = entity.map_or("record", Entity::name);
            let what = format!("run {} loaded no {kind}; {RESTORE}", run.id);
            return Err(("entity", what));
        }
        _ => {}
    }
    let mut named = stages
        .into_iter()
        .filter(|stage| source.is_some_and(|source| has_file(stage, source)));
    match (named.next(), named.next()) {
        (Some(stage), None) => Ok(stage),
        _ => Err((
            "source",
            format!(
                "run {} has several stages, and it cannot be told of which this row is; restore the columns entity and source",
                run.id
            ),
        )),
    }
}

/// What keeps a row from being of the run and stage that the first row is of.
pub(super) fn misfit(
    run: &KnownRun,
    stage: &KnownStage,
    said_run: &str,
    entity: Option<&str>,
    source: Option<&str>,
) -> Option<Misfit> {
    if run.id != said_run {
        let what = format!(
            "the first row is of run {}, and this one is not; retry the results of one run at a time",
            run.id
        );
        return Some(("run", what));
    }
    if entity.is_some_and(|entity| entity != stage.entity.name()) {
        let what = format!(
            "the first row is a {}, and this one is not; {ONE_STAGE}",
            stage.entity
        );
        return Some(("entity", what));
    }
    // a run of one stage leaves no doubt, whatever became of the name
    if run.stages.len() > 1 && source.is_some_and(|source| !has_file(stage, source)) {
        let what = format!("this is no input of the first row's stage; {ONE_STAGE}");
        return Some(("source", what));
    }
    None
}

fn has_file(stage: &KnownStage, name: &str) -> bool {
    stage.files.iter().any(|file| file.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::KnownFile;

    fn run(stages: &[(Entity, &str)]) -> KnownRun {
        let stages = (0..).zip(stages).map(|(stage, (entity, file))| KnownStage {
            stage,
            entity: *entity,
            mapping: None,
            duplicates: None,
            files: vec![KnownFile {
                name: (*file).to_owned(),
                bytes: 0,
                digest: 0,
            }],
            source: None,
        });
        KnownRun {
            id: "R".into(),
            unfinished: None,
            stages: stages.collect(),
        }
    }

    #[test]
    fn a_row_tells_its_stage_by_its_entity_and_where_need_be_by_its_file() {
        let one = run(&[(Entity::Customer, "a.csv")]);
        let two = run(&[(Entity::Organization, "o.csv"), (Entity::Customer, "a.csv")]);
        let same = run(&[(Entity::Customer, "a.csv"), (Entity::Customer, "b.csv")]);
        for (run, entity, source, stage) in [
            (&one, None, None, Ok(0)),
            (&one, Some("customer"), Some("renamed.csv"), Ok(0)),
            (&two, Some("customer"), None, Ok(1)),
            (&two, None, Some("o.csv"), Ok(0)),
            (&same, Some("customer"), Some("b.csv"), Ok(1)),
            (&one, Some("product"), None, Err("entity")),
            (&one, Some("Kunde"), None, Err("entity")),
            (&two, None, None, Err("source")),
            (&same, Some("customer"), None, Err("source")),
            (&same, Some("customer"), Some("c.csv"), Err("source")),
        ] {
            let found = stage_of(run, entity, source);
            let found = found.map(|stage| stage.stage).map_err(|misfit| misfit.0);
            assert_eq!(found, stage, "{entity:?} {source:?}");
        }
        let words = |run, entity, source| stage_of(run, entity, source).unwrap_err().1;
        insta::assert_snapshot!(words(&one, Some("Kunde"), None), @"this is no kind of record; restore it as it was in the results file");
        insta::assert_snapshot!(words(&one, Some("product"), None), @"run R loaded no product; restore it as it was in the results file");
        insta::assert_snapshot!(words(&two, None, None), @"run R has several stages, and it cannot be told of which this row is; restore the columns entity and source");
    }

    #[test]
    fn all_rows_are_of_the_stage_of_the_first() {
        let one = run(&[(Entity::Customer, "a.csv")]);
        let two = run(&[(Entity::Customer, "a.csv"), (Entity::Customer, "b.csv")]);
        for (run, said_run, entity, source, column) in [
            (&one, "R", Some("customer"), Some("renamed.csv"), None),
            (&one, "R", None, None, None),
            (&two, "R", None, Some("a.csv"), None),
            (&one, "S", None, None, Some("run")),
            (&one, "R", Some("product"), None, Some("entity")),
            (&two, "R", None, Some("b.csv"), Some("source")),
        ] {
            let found = misfit(run, &run.stages[0], said_run, entity, source);
            assert_eq!(
                found.map(|misfit| misfit.0),
                column,
                "{said_run} {entity:?} {source:?}"
            );
        }
        let words = |said_run, entity, source| {
            misfit(&two, &two.stages[0], said_run, entity, source)
                .unwrap()
                .1
        };
        insta::assert_snapshot!(words("S", None, None), @"the first row is of run R, and this one is not; retry the results of one run at a time");
        insta::assert_snapshot!(words("R", Some("product"), None), @"the first row is a customer, and this one is not; retry the results file of one stage at a time");
        insta::assert_snapshot!(words("R", None, Some("b.csv")), @"this is no input of the first row's stage; retry the results file of one stage at a time");
    }
}
