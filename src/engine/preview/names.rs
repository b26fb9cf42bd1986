//! Looks names up on the site for a preview: it creates none.

use crate::engine::asking::Asking;
use crate::engine::resolve::Resolver;
use crate::engine::settled::Settled;
use crate::engine::survey::{Names, SurveyError};
use crate::mapping::{Draft, Known, Plan, RefKind, References};
use crate::model::row::RowId;
use tokio::runtime::Handle;

/// The names of a stage's rows, from a thread that may block.
pub struct Asked<'a> {
    resolver: Resolver,
    asking: Asking<'a>,
    handle: Handle,
    stage: u32,
}

impl<'a> Asked<'a> {
    /// Of a stage, before which others make records of `expected` kinds: their names count as known, whether the site
    /// has them yet or not.
    #[must_use]
    pub fn new(
        plan: &Plan,
        expected: &[RefKind],
        asking: Asking<'a>,
        handle: Handle,
        stage: u32,
    ) -> Self {
        let mut resolver = Resolver::new(plan);
        for kind in expected {
            resolver.expect(*kind);
        }
        Self {
            resolver,
            asking,
            handle,
            stage,
        }
    }
}

impl Names for Asked<'_> {
    fn ensure(
        &mut self,
        draft: &Draft,
        _: &dyn Fn(RowId) -> bool,
    ) -> Result<&References, SurveyError> {
        let Self {
            resolver,
            asking,
            handle,
            stage,
        } = self;
        handle.block_on(resolver.ensure_all(*asking, *stage, draft, None))?;
        Ok(resolver.references())
    }

    fn organizations(&mut self, names: Vec<String>) -> Result<&Known, SurveyError> {
        let kind = RefKind::Organization;
        let asked = self
            .resolver
            .ensure(self.asking, self.stage, kind, names, None);
        self.handle.block_on(asked)?;
        Ok(&self.resolver.references().organizations)
    }

    fn settled(&self) -> Option<Settled> {
        Some(self.resolver.settled(false))
    }

    fn learned(&self) -> u64 {
        self.resolver.learned()
    }
}
