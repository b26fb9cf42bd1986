//! `[hierarchy]`: the parents of organizations, by name. The API has no field for them, so the name is a detail value.

use super::{Compiler, Role, with_article};
use crate::mapping::diagnostic::Fault;
use crate::mapping::file::{Empty, WrittenSource};
use crate::mapping::plan::DetailPlan;
use crate::model::entity::{Entity, Family, Verb};

impl Compiler<'_> {
    /// The detail that takes the parent's name.
    pub(super) fn hierarchy(&mut self) -> Option<DetailPlan> {
        let written = self.file.written.hierarchy.as_ref()?;
        let (entity, family) = (self.file.written.entity, self.file.written.family());
        let section = written.section.span();
        if entity != Entity::Organization {
            let message = format!("{} has no [hierarchy]", with_article(entity.name()));
            self.fault(Fault::new(section, message).help("only organizations have parents"));
            return None;
        }
        if family != Family::Profile {
            self.not_carried(section, "hierarchy", "[hierarchy]");
            return None;
        }
        let parent = written.parent.as_ref()?;
        self.detail_name(&parent.name);
        let fields = &self.file.written.fields;
        // rows with an id are known by it, and a parent's name would lead nowhere
        if let Some(id) = fields.iter().find(|field| field.name.get_ref() == "id") {
            let message =
                "[hierarchy] finds parents by name, and rows with an id are known by it alone";
            let fault = Fault::new(id.name.span(), message);
            self.fault(fault.help("leave id out, so that name identifies the organization"));
        }
        if let Some(WrittenSource::Column(column)) = &parent.source {
            let own = fields.iter().any(|field| {
                matches!(&field.source, Some(WrittenSource::Column(name)) if name.get_ref() == column.get_ref())
                    && field.name.get_ref() == "name"
            });
            if own {
                let message = format!(
                    "\"{}\" is the organization's own name: each would be its own parent",
                    column.get_ref()
                );
                let fault = Fault::new(column.span(), message);
                self.fault(fault.help("name the column that holds the parent's name"));
            }
        }
        Some(DetailPlan {
            value: self.value(parent, Role::Parent)?,
            empty: parent
                .empty
                .as_ref()
                .map_or(Empty::Keep, |empty| *empty.get_ref()),
            verb: Verb::default(),
        })
    }
}
