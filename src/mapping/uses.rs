//! From a field that a reason names back to the columns of the source that its value comes from.

use super::plan::Plan;
use super::value::{Source, ValuePlan};

impl Plan {
    /// The columns that a field's value is made of, as reasons name the field; none for what is no field, or the same in
    /// each row.
    #[must_use]
    pub fn columns_of(&self, field: &str) -> &[String] {
        let Some(value) = self.values().find(|value| value.name == field) else {
            return &[];
        };
        match &value.source {
            Source::Column(name) => std::slice::from_ref(name),
            Source::Constant(_) => &[],
            Source::Expression(number) => &self.0.expressions[*number].columns,
        }
    }

    fn values(&self) -> impl Iterator<Item = &ValuePlan> {
        let references = [&self.0.organizations, &self.0.products];
        let references = references.into_iter().flatten();
        self.0
            .fields
            .iter()
            .chain(self.0.details.iter().map(|detail| &detail.value))
            .chain(references.map(|reference| &reference.names))
    }
}

#[cfg(test)]
mod tests {
    use crate::api::contract::Contract;
    use crate::mapping::{MappingFile, Plan};
    use crate::source::chunk::SourceSchema;
    use polars::prelude::DataType;

    #[test]
    fn a_field_is_told_by_the_columns_that_it_is_made_of() {
        let columns = ["mail", "first", "last", "plan", "firm"];
        let columns = columns.map(|name| (name.to_owned(), DataType::String));
        let text = "entity = \"customer\"\n[fields]\nemail = \"mail\"\n\
                    display_name = { sql = \"concat_ws(' ', first, last)\" }\n\
                    [details]\nPlan = \"plan\"\nVia = { value = \"import\" }\n[organizations]\nnames = \"firm\"\n";
        let file = MappingFile::parse("m.toml", text.to_owned()).unwrap();
        let schema = SourceSchema::new(columns.to_vec());
        let plan = Plan::compile(&file, &schema, &Contract::default()).unwrap();
        for (field, columns) in [
            ("email", &["mail"][..]),
            ("display_name", &["first", "last"]),
            ("Plan", &["plan"]),
            ("Via", &[]),
            ("organizations", &["firm"]),
            ("mail", &[]),
        ] {
            assert_eq!(plan.columns_of(field), columns, "{field}");
        }
    }
}
