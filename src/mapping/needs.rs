//! What a mapping needs of a site, as far as the file alone tells: its detail fields.

use crate::api::fold;
use crate::mapping::MappingFile;
use crate::mapping::file::WrittenValue;

/// A detail field that rows of a mapping write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailNeed {
    /// Its name.
    pub name: String,
    /// Its type, in the site's word; `None` where the mapping does not say.
    pub kind: Option<String>,
    /// The options that the mapping allows.
    pub options: Vec<String>,
}

impl MappingFile {
    /// The detail fields that its rows write, the one of its key last.
    #[must_use]
    pub fn details(&self) -> Vec<DetailNeed> {
        let mut needs: Vec<_> = self.written.details.iter().map(need).collect();
        if let Some(key) = self.key_detail()
            && !needs
                .iter()
                .any(|need| fold::name(&need.name) == fold::name(key))
        {
            needs.push(DetailNeed {
                name: key.to_owned(),
                kind: None,
                options: Vec::new(),
            });
        }
        needs
    }

    /// The detail field that holds the mapping's key.
    #[must_use]
    pub fn key_detail(&self) -> Option<&str> {
        let key = self.written.key_detail.as_ref();
        key.map(|key| key.get_ref().as_str())
    }
}

fn need(value: &WrittenValue) -> DetailNeed {
    let options = value.options.as_ref();
    let options = options.map_or(&[][..], |options| options.get_ref());
    let kind = value.kind.as_ref();
    DetailNeed {
        name: value.name.get_ref().clone(),
        kind: kind.map(|kind| kind.get_ref().to_uppercase()),
        options: options
            .iter()
            .map(|option| option.get_ref().clone())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_told_with_type_and_options() {
        let text = "entity = \"customer\"\nkey = \"id\"\nkey_detail = \"External ID\"\n[fields]\nemail = \"e\"\n\
                    [details]\nTier = { column = \"t\", type = \"select\", options = [\"Gold\"] }\nNote = \"n\"\n";
        let file = MappingFile::parse("m.toml", text.to_owned()).expect("a mapping");
        let told: Vec<_> = file
            .details()
            .into_iter()
            .map(|need| (need.name, need.kind, need.options))
            .collect();
        let text = str::to_owned;
        assert_eq!(
            told,
            [
                (text("Tier"), Some(text("SELECT")), vec![text("Gold")]),
                (text("Note"), None, Vec::new()),
                (text("External ID"), None, Vec::new()),
            ]
        );
    }
}
