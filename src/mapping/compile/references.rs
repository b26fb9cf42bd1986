//! `[organizations]` and `[products]`.

use super::{Compiler, Role, with_article};
use crate::mapping::diagnostic::Fault;
use crate::mapping::file::WrittenReferences;
use crate::mapping::plan::ReferencePlan;
use crate::mapping::references::RefKind;
use crate::model::entity::{Entity, Family};

impl Compiler<'_> {
    pub(super) fn references(
        &mut self,
        kind: RefKind,
        written: Option<&WrittenReferences>,
    ) -> Option<ReferencePlan> {
        let written = written?;
        let entity = self.file.written.entity;
        let allowed = match kind {
            RefKind::Organization => entity == Entity::Customer,
            RefKind::Product => matches!(entity, Entity::Customer | Entity::Organization),
        };
        let section = kind.section();
        if !allowed {
            let message = format!("{} has no [{section}]", with_article(entity.name()));
            let fault = Fault::new(written.section.span(), message);
            self.fault(fault.help(match kind {
                _ if entity == Entity::Entitlement => {
                    "an entitlement's organization and product stand in [fields]"
                }
                RefKind::Organization => "only customers belong to organizations",
                RefKind::Product => "customers and organizations have products",
            }));
        } else if self.file.written.family() != Family::Profile {
            self.not_carried(written.section.span(), section, &format!("[{section}]"));
        }
        let mut names = self.value(written.names.as_ref()?, Role::Names)?;
        section.clone_into(&mut names.name);
        Some(ReferencePlan {
            names,
            on_missing: written.on_missing,
        })
    }
}
