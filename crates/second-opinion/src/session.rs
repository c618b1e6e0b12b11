//! What an evaluation by regorus shares with the built-ins of ours that it calls: the clock, the limits, and what must
//! not be lost when regorus swallows an error.

use regent_rego::ast::Loc;
use regent_rego::builtins::{self, Cache, Failure, Host};
use regent_rego::{Code, Context, Error};
use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One evaluation.
pub(crate) struct Session {
    pub(crate) time_ns: i64,
    pub(crate) seed: u64,
    pub(crate) strict: bool,
    /// When it must have ended.
    pub(crate) deadline: Option<Instant>,
    /// Bytes that built-ins may still make.
    pub(crate) room: usize,
    pub(crate) cache: Arc<Cache>,
    /// Ends the evaluation, whatever regorus makes of the error.
    pub(crate) halted: Option<String>,
    /// That is a failed built-in, which ends only a strict evaluation.
    pub(crate) failed: bool,
    /// Why the answer is worth nothing: a value that regorus cannot hold was made.
    pub(crate) unsure: Option<String>,
}

impl Session {
    /// Time left; `None`: no limit.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.deadline.map(|d| d.saturating_duration_since(Instant::now()))
    }
}

/// The end of an evaluation's time as this process sees it; `None`: no limit.
pub(crate) fn deadline(context: &Context<'_>) -> Option<Instant> {
    let now = context.limits.clock?;
    let left = Duration::from_nanos(context.limits.deadline.saturating_sub(now()));
    Instant::now().checked_add(left)
}

fn halt(code: Code, text: &str) -> Failure {
    Failure::Halt(Error::new(code, &Loc::default(), text))
}

impl Host for Session {
    fn charge(&mut self, bytes: usize) -> Result<(), Failure> {
        self.work(bytes)?;
        match self.room.checked_sub(bytes) {
            Some(room) => {
                self.room = room;
                Ok(())
            }
            None => Err(halt(Code::Limit, "the memory limit was exceeded")),
        }
    }

    fn work(&mut self, _units: usize) -> Result<(), Failure> {
        if self.left().is_some_and(|left| left.is_zero()) {
            return Err(halt(Code::Cancel, "the time limit was exceeded"));
        }
        Ok(())
    }

    fn time_ns(&self) -> i64 {
        self.time_ns
    }

    fn random(&mut self, key: &str) -> u64 {
        builtins::random(self.seed, key)
    }

    fn note(&mut self, _text: &str) {}

    fn print(&mut self, _text: &str) {}

    fn cache(&self) -> &Cache {
        &self.cache
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Session>> = const { RefCell::new(None) };
}

/// Runs with a session that built-ins find; gives it back with the answer.
pub(crate) fn with<T>(session: Session, run: impl FnOnce() -> T) -> (T, Option<Session>) {
    CURRENT.with(|c| c.replace(Some(session)));
    let answer = run();
    (answer, CURRENT.with(RefCell::take))
}

/// Takes the session of a run that was broken off.
pub(crate) fn drop_current() {
    CURRENT.with(RefCell::take);
}

/// The session of the evaluation that runs on this thread, for one built-in.
pub(crate) fn current<T>(run: impl FnOnce(&mut Session) -> T) -> Option<T> {
    CURRENT.with(|c| c.try_borrow_mut().ok().and_then(|mut s| s.as_mut().map(run)))
}
