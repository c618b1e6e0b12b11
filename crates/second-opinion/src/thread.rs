//! Asking on threads of their own, so that nothing regorus does can hold up or take down who asks.

use crate::engine::{Companion, LATE_REASON, Question, prepared};
use regent_rego::{Context, Entry, Opinion, Program};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Stack of the threads that regorus runs on. Only what is used is ever taken from the machine.
pub const STACK: usize = 256 << 20;

/// Time beyond the limit of an evaluation after which its thread is given up: regorus does not look at the clock within
/// a comparison or a built-in of its own.
const GRACE: Duration = Duration::from_millis(100);

/// Threads given up at most; after that regorus is asked no more.
const LOST: usize = 8;

/// Threads that ask regorus, made when they are needed and used again.
#[derive(Default)]
pub struct Threads {
    idle: Mutex<Vec<Worker>>,
    lost: AtomicUsize,
}

/// A thread that waits for work; it ends when this is dropped.
struct Worker {
    work: SyncSender<Work>,
}

struct Work {
    companion: Arc<Companion>,
    question: Question,
    answer: Sender<Opinion>,
}

impl Threads {
    /// No thread yet.
    pub fn new() -> Threads {
        Threads::default()
    }

    /// Asks regorus about an entry; as [`crate::opinion`], but on a thread with the stack that it needs, and given up
    /// when it does not answer in time.
    pub fn opinion(&self, program: &Program, entry: Entry, context: &Context<'_>) -> Opinion {
        let companion = prepared(program);
        if let Err(why) = companion.as_ref() {
            return Opinion::NotAsked(why.clone());
        }
        if self.lost.load(Ordering::Relaxed) >= LOST {
            return Opinion::NotAsked(format!("regorus did not end {LOST} evaluations; it is asked no more"));
        }
        let question = Question::new(program, entry, context);
        let deadline = question.deadline;
        let (answer, receive) = channel();
        let Some(worker) = self.send(Work {
            companion,
            question,
            answer,
        }) else {
            return Opinion::NotAsked("there is no thread to ask regorus on".to_owned());
        };
        match wait(&receive, deadline) {
            Ok(opinion) => {
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
                opinion
            }
            Err(RecvTimeoutError::Timeout) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                Opinion::NotAsked(LATE_REASON.to_owned())
            }
            Err(RecvTimeoutError::Disconnected) => Opinion::Error("regorus panics".to_owned()),
        }
    }

    /// Hands work to an idle thread, or to a new one.
    fn send(&self, mut work: Work) -> Option<Worker> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let worker = match idle {
                Some(worker) => worker,
                None => {
                    let worker = Worker::start()?;
                    return worker.work.send(work).is_ok().then_some(worker);
                }
            };
            match worker.work.send(work) {
                Ok(()) => return Some(worker),
                // It has ended; the next one.
                Err(back) => work = back.0,
            }
        }
    }
}

impl Worker {
    fn start() -> Option<Worker> {
        let (work, receive) = sync_channel::<Work>(1);
        let run = move || {
            while let Ok(work) = receive.recv() {
                let opinion = match work.companion.as_ref() {
                    Ok(prepared) => prepared.ask(&work.question),
                    Err(why) => Opinion::NotAsked(why.clone()),
                };
                if work.answer.send(opinion).is_err() {
                    // Given up: there may be another in its place.
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("second-opinion".to_owned())
            .stack_size(STACK)
            .spawn(run)
            .ok()
            .map(|_| Worker { work })
    }
}

fn wait(receive: &Receiver<Opinion>, deadline: Option<Instant>) -> Result<Opinion, RecvTimeoutError> {
    match deadline {
        None => receive.recv().map_err(|_| RecvTimeoutError::Disconnected),
        Some(deadline) => receive.recv_timeout(deadline.saturating_duration_since(Instant::now()) + GRACE),
    }
}
