//! One definition by itself: those of entitlements, and what a bulk request could not settle.

use super::bulk::unsent;
use super::decide::{Fate, Next, Standing, Wanted, resolve};
use super::{Asked, Definitions, Travelled};
use crate::engine::context::Tries;
use crate::engine::driver::{self, DriveError};
use crate::engine::outcome::not_sent;
use crate::engine::patience::Patience;
use crate::model::outcome::Route;
use crate::model::reply::ErrorClass;
use std::time::Duration;

impl Definitions<'_> {
    /// Creates fields one after the other.
    pub(super) async fn create_each(&mut self, rows: Vec<Asked>) -> Result<(), DriveError> {
        for asked in rows {
            let outcome = match (self.context.stop.why(), asked.unclear) {
                (None, _) => {
                    driver::calling(self.context, self.stage, &asked.row).await?;
                    let (next, attempts) = self.create(&asked).await;
                    let travelled = Travelled {
                        route: Some(Route::Single),
                        batch: None,
                        attempts,
                    };
                    self.outcome(&asked, next, travelled)
                }
                (Some(_), Some((code, travelled))) => {
                    self.outcome(&asked, resolve(&Fate::Unclear(code), None), travelled)
                }
                (Some(why), None) => {
                    let at = self.context.clock.unix_millis();
                    Some(not_sent(asked.row.row.clone(), why, at))
                }
            };
            self.persist(outcome.into_iter().collect()).await?;
        }
        Ok(())
    }

    /// Creates one field; how it ended, and how often it was sent.
    async fn create(&mut self, asked: &Asked) -> (Next, u32) {
        let context = self.context;
        let owner = asked.wanted.owner;
        let (mut tries, mut attempts) = (Tries::default(), 0);
        let mut before = self.may_be_ours(asked);
        loop {
            attempts += 1;
            let answer = context
                .client
                .create_detail_field(owner, asked.row.item.to_vec())
                .await;
            context.stop.note_write(&answer);
            let Err(error) = answer else {
                self.created(&asked.wanted);
                return (resolve(&Fate::Created, None), attempts);
            };
            before |= error.may_be_applied();
            let again = context.again(self.stage, &mut tries, &error).await;
            let fate = match error.class {
                ErrorClass::Refused => Fate::Refused {
                    words: error.message.clone(),
                    before,
                },
                _ if before => Fate::Lost(error.message.clone()),
                _ if again => continue,
                _ => unsent(&error),
            };
            // what may have been created is asked for before it is sent again: names are unique, so that one look does then
            let patience = if before && !again {
                context.client.contract().read_patience
            } else {
                Duration::ZERO
            };
            let asks = !matches!(fate, Fate::Unsent(..));
            let listed = asks && self.seek(&asked.wanted, patience).await;
            let standing = listed.then(|| self.standing(&asked.wanted));
            if again && standing == Some(Standing::Missing) {
                continue;
            }
            // a site that refuses one field may take the next
            if error.class != ErrorClass::Refused && !(again && listed) {
                context.stop.set(error.to_string());
            }
            return (resolve(&fate, standing.as_ref()), attempts);
        }
    }
    /// Lists fields until a wanted one is among them, or patience ends; `false` when they were not listed to that end.
    async fn seek(&mut self, wanted: &Wanted, patience: Duration) -> bool {
        let stop = &self.context.stop;
        let mut patience = Patience::of(patience);
        loop {
            if self.list(wanted.owner).await.is_err() {
                return false;
            }
            if self.standing(wanted) != Standing::Missing {
                return true;
            }
            if !patience.waits(stop).await {
                return stop.why().is_none();
            }
        }
    }
}
