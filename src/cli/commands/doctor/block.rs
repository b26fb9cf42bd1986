//! A `[contract]` to paste into a job file.

use crate::api::contract::{Contract, IdForm, Name};
use crate::cli::contract::span;
use std::fmt::Write as _;
use toml::Value;

/// The table; only what differs from the defaults, or all of it. `None` where nothing would stand in it.
pub(super) fn block(contract: &Contract, all: bool) -> Option<String> {
    let usual = Contract::default();
    let mut text = String::new();
    let mut line = |key: &str, value: Value, default: Value| {
        if all || value != default {
            // writing to a String cannot fail
            let _ = writeln!(text, "{key} = {value}");
        }
    };
    for name in Name::ALL {
        let value = |contract: &Contract| Value::from(contract.name(*name));
        line(name.key(), value(contract), value(&usual));
    }
    let tasks = |contract: &Contract| {
        Value::Integer(i64::try_from(contract.task_limit).unwrap_or(i64::MAX))
    };
    line("task_limit", tasks(contract), tasks(&usual));
    let ids = |contract: &Contract| {
        Value::from(match contract.organization_ids {
            IdForm::String => "string",
            IdForm::Number => "number",
        })
    };
    line("organization_ids", ids(contract), ids(&usual));
    let lifetime = |contract: &Contract| Value::from(span(contract.key_lifetime));
    line("key_lifetime", lifetime(contract), lifetime(&usual));
    let patience = |contract: &Contract| Value::from(span(contract.read_patience));
    line("read_patience", patience(contract), patience(&usual));
    for (key, value, default) in [
        ("user_search", contract.user_search, usual.user_search),
        (
            "organization_list",
            contract.organization_list,
            usual.organization_list,
        ),
        ("membership", contract.membership, usual.membership),
    ] {
        line(key, value.into(), default.into());
    }
    (!text.is_empty()).then(|| format!("[contract]\n{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::contract::{ContractTable, OTHERS};
    use std::time::Duration;

    fn read(text: &str) -> Contract {
        #[derive(serde::Deserialize)]
        struct Job {
            contract: ContractTable,
        }
        toml::from_str::<Job>(text)
            .expect("a [contract]")
            .contract
            .0
    }

    #[test]
    fn a_block_reads_back_as_it_was() {
        let mut contract = Contract::default();
        for name in Name::ALL {
            contract = contract.with(*name, format!("x \"{}\"", name.key()));
        }
        contract.task_limit = 10;
        contract.organization_ids = IdForm::Number;
        contract.key_lifetime = Duration::from_mins(90);
        contract.read_patience = Duration::from_mins(5);
        (
            contract.user_search,
            contract.organization_list,
            contract.membership,
        ) = (true, true, true);
        for all in [false, true] {
            assert_eq!(read(&block(&contract, all).unwrap()), contract);
        }
        let usual = Contract::default();
        assert_eq!(read(&block(&usual, true).unwrap()), usual);
        assert_eq!(block(&usual, false), None);
    }

    #[test]
    fn only_what_differs_is_written_unless_all_is_wanted() {
        let mut contract = Contract::default().with(Name::ProductIds, "ids");
        contract.membership = true;
        insta::assert_snapshot!(block(&contract, false).unwrap(), @r#"
        [contract]
        product_ids = "ids"
        membership = true
        "#);
        let lines = block(&contract, true).unwrap().lines().count();
        assert_eq!(
            lines,
            1 + Name::ALL.len() + OTHERS.len(),
            "a key is missing"
        );
    }
}
