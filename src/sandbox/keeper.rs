//! The one thread that owns a site and its journal.
//!
//! Duty: let time pass, do what requests ask for, write the changes down, and only then send the answers. Requests that
//! arrive together share one sync. Guarantee: nothing is answered that would not be there after a crash; once the
//! journal cannot be written, nothing is answered any more. Must not know: HTTP.

use super::error::SandboxError;
use super::journal::Journal;
use super::lag::Lagging;
use super::policy::Policy;
use super::site::{Refusal, Site, Temper};
use super::time::SiteClock;
use crate::model::clock::UnixMillis;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::oneshot;

/// Sends an answer that has become durable.
type Answer = Box<dyn FnOnce() + Send>;
/// Does what a request asks for.
type Job = Box<dyn FnOnce(&mut Site, &Policy, UnixMillis) -> Answer + Send>;
/// Reads what a request asks for.
type Look = Box<dyn FnOnce(&Site, &Policy, UnixMillis) -> Answer + Send>;

enum Message {
    Job(Job),
    Look(Look),
    Stop,
}

/// Longest sleep while a task is under way, so that a clock that jumps is noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);

/// A way to ask the site.
#[derive(Clone)]
pub(super) struct Desk(Sender<Message>);

impl Desk {
    /// Has the site do something, and waits until what it changed is durable.
    ///
    /// # Errors
    /// 500 when the site has stopped.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Site, &Policy, UnixMillis) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |site, policy, now| {
            let result = job(site, policy, now);
            // whoever asked may be gone by now, which changes nothing
            Box::new(move || drop(answer.send(result)))
        });
        self.send(Message::Job(job), answered).await
    }

    /// Reads the site as it is seen now, which under [`Policy::read_lag_ms`] is as it was then.
    ///
    /// # Errors
    /// 500 when the site has stopped.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Site, &Policy, UnixMillis) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        let look: Look = Box::new(move |site, policy, now| {
            let result = look(site, policy, now);
            Box::new(move || drop(answer.send(result)))
        });
        self.send(Message::Look(look), answered).await
    }

    async fn send<T>(
        &self,
        message: Message,
        answered: oneshot::Receiver<T>,
    ) -> Result<T, Refusal> {
        let stopped = || Refusal {
            status: 500,
            message: "The sandbox has stopped".to_owned(),
        };
        self.0.send(message).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())
    }
}

/// The thread.
pub(super) struct Keeper {
    sender: Sender<Message>,
    thread: JoinHandle<Result<(), SandboxError>>,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(super) fn start(
        site: Site,
        journal: Option<Journal>,
        policy: Policy,
        clock: SiteClock,
    ) -> Result<Self, SandboxError> {
        let (sender, receiver) = mpsc::channel();
        let keep = move || keep(site, journal, &policy, &clock, &receiver);
        let thread = thread::Builder::new().name("sandbox-site".to_owned());
        let thread = thread.spawn(keep).map_err(SandboxError::Server)?;
        Ok(Self { sender, thread })
    }

    /// A way to ask the site.
    pub(super) fn desk(&self) -> Desk {
        Desk(self.sender.clone())
    }

    /// Ends the thread after what has been asked, and waits for it. Blocks.
    ///
    /// # Errors
    /// What ended the thread before, if something did.
    pub(super) fn stop(self) -> Result<(), SandboxError> {
        // it may have ended by an error, which joining gives
        drop(self.sender.send(Message::Stop));
        let ended = self.thread.join();
        ended.unwrap_or(Err(SandboxError::Panicked("site")))
    }
}

fn keep(
    mut site: Site,
    mut journal: Option<Journal>,
    policy: &Policy,
    clock: &SiteClock,
    receiver: &Receiver<Message>,
) -> Result<(), SandboxError> {
    site.set_temper(Temper::of(policy));
    let mut lagging = Lagging::new(&site, policy.read_lag_ms);
    let mut open = true;
    while open {
        let mut message = match next(&site, clock, receiver) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let now = clock.now();
        site.advance(policy, now);
        let mut answers = Vec::new();
        loop {
            match message {
                Some(Message::Job(job)) => answers.push(job(&mut site, policy, now)),
                Some(Message::Look(look)) => {
                    let seen = lagging.as_mut().map(|lagging| lagging.seen(now));
                    answers.push(look(seen.unwrap_or(&site), policy, now));
                }
                Some(Message::Stop) => {
                    open = false;
                    break;
                }
                None => break,
            }
            message = receiver.try_recv().ok();
        }
        let changes = site.take_changes();
        if let Some(lagging) = &mut lagging {
            lagging.note(now, &changes);
        }
        if let Some(journal) = &mut journal {
            journal.append(&changes)?;
        }
        for answer in answers {
            answer();
        }
    }
    Ok(())
}

/// The next message, or a timeout when a task's end has come.
fn next(
    site: &Site,
    clock: &SiteClock,
    receiver: &Receiver<Message>,
) -> Result<Message, RecvTimeoutError> {
    let Some(end) = site.next_end() else {
        return receiver.recv().map_err(RecvTimeoutError::from);
    };
    receiver.recv_timeout(clock.until(end).min(LONGEST_SLEEP))
}
