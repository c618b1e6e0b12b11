//! Threads that judge. Judging takes a processor and a deep stack, so it has threads of its own: an async thread that
//! judged would keep others' connections waiting.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Deep values and rule chains need deep stacks; memory is taken as it is used.
const STACK: usize = 64 << 20;

type Job = Box<dyn FnOnce(usize) + Send>;

/// Why work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Too much is waiting.
    Full,
    /// It panicked; what it worked on is gone, nothing else is.
    Panicked,
    /// The pool ends.
    Closed,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Threads that wait and were not told of a job; never less than there are.
    idle: usize,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
    capacity: usize,
    waiting: AtomicUsize,
    busy: AtomicUsize,
}

/// A fixed number of threads and a bounded queue.
pub struct Pool {
    shared: Arc<Shared>,
    threads: usize,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(threads: usize, capacity: usize) -> std::io::Result<Pool> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            ready: Condvar::new(),
            capacity,
            waiting: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
        });
        let pool = Pool {
            shared: shared.clone(),
            threads,
        };
        for worker in 0..threads {
            let shared = shared.clone();
            std::thread::Builder::new()
                .name(format!("judge-{worker}"))
                .stack_size(STACK)
                .spawn(move || work(&shared, worker))?;
        }
        Ok(pool)
    }

    /// Runs work on one of the threads, which are numbered from 0. Work whose caller went away is not begun.
    ///
    /// # Errors
    /// It was not done.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce(usize) -> T + Send + 'static) -> Result<T, Fault> {
        let (send, receive) = oneshot::channel();
        let job = move |worker| {
            if !send.is_closed() {
                let done = catch_unwind(AssertUnwindSafe(|| work(worker)));
                let _ = send.send(done.map_err(|_| Fault::Panicked));
            }
        };
        let idle = {
            let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.closed {
                return Err(Fault::Closed);
            }
            if queue.jobs.len() >= self.shared.capacity {
                return Err(Fault::Full);
            }
            queue.jobs.push_back(Box::new(job));
            self.shared.waiting.store(queue.jobs.len(), Ordering::Relaxed);
            let idle = queue.idle > 0;
            queue.idle = queue.idle.saturating_sub(1);
            idle
        };
        // Telling is a call of the system, whether anybody waits or not.
        if idle {
            self.shared.ready.notify_one();
        }
        receive.await.unwrap_or(Err(Fault::Closed))
    }

    /// Work that waits.
    pub fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    /// Threads that work.
    pub fn busy(&self) -> usize {
        self.shared.busy.load(Ordering::Relaxed)
    }

    /// Threads in all.
    pub fn threads(&self) -> usize {
        self.threads
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.shared.ready.notify_all();
    }
}

fn work(shared: &Shared, worker: usize) {
    loop {
        let job = {
            let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if let Some(job) = queue.jobs.pop_front() {
                    shared.waiting.store(queue.jobs.len(), Ordering::Relaxed);
                    break job;
                }
                if queue.closed {
                    return;
                }
                queue.idle += 1;
                queue = shared.ready.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        };
        shared.busy.fetch_add(1, Ordering::Relaxed);
        // The work's own panics are caught inside; what is dropped with it could still panic.
        let _ = catch_unwind(AssertUnwindSafe(|| job(worker)));
        shared.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

    use super::*;
    use std::time::Duration;

    /// A thread that is not woken leaves work lying, and the one who waits for it waiting.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn all_work_is_done_however_it_comes() {
        for threads in [1, 2, 3] {
            let pool = Arc::new(Pool::start(threads, 64).unwrap());
            let clients: Vec<_> = (0..6_u32)
                .map(|client| {
                    let pool = pool.clone();
                    tokio::spawn(async move {
                        let mut sum = 0;
                        for i in 0..2_000 {
                            let work = pool.run(move |_| {
                                assert!(i != 97, "this work panics");
                                1
                            });
                            match tokio::time::timeout(Duration::from_secs(20), work).await.unwrap() {
                                Ok(one) => sum += one,
                                Err(fault) => assert_eq!(fault, Fault::Panicked),
                            }
                            // Threads get to sleep now and then.
                            if i % 50 == client {
                                tokio::time::sleep(Duration::from_micros(200)).await;
                            }
                        }
                        sum
                    })
                })
                .collect();
            for done in clients {
                assert_eq!(done.await.unwrap(), 1_999, "{threads} threads");
            }
            assert_eq!(pool.waiting(), 0);
        }
    }

    #[tokio::test]
    async fn what_is_too_much_is_told() {
        let pool = Arc::new(Pool::start(1, 1).unwrap());
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (began, has_begun) = std::sync::mpsc::channel::<()>();
        let busy = {
            let pool = pool.clone();
            tokio::spawn(async move {
                let work = pool.run(move |_| {
                    began.send(()).unwrap();
                    wait.recv().unwrap();
                });
                work.await
            })
        };
        while has_begun.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        let second = {
            let pool = pool.clone();
            tokio::spawn(async move { pool.run(|_| ()).await })
        };
        while pool.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.run(|_| ()).await, Err(Fault::Full));
        go.send(()).unwrap();
        assert_eq!(busy.await.unwrap(), Ok(()));
        assert_eq!(second.await.unwrap(), Ok(()));
    }
}
