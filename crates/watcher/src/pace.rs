//! How often the API server is asked.
//!
//! While it answers, a bucket bounds bursts. From its first failure until it has answered well again, requests stand in
//! one line with a gap between them, whatever number of watches want to come back at once. A watch that is asked for again
//! long before its time is one that was cut, and a failure: many are cut at once, and none of them says so.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tower::{Layer, Service};

/// Between two requests in trouble: four a second.
const GAP: Duration = Duration::from_millis(250);
/// After the last failure trouble lasts at least this long; a success then ends it.
const CALM: Duration = Duration::from_secs(2);
/// Who stands in line when trouble ends keeps its place for so long: not all that waited go at once.
const KEPT: Duration = Duration::from_secs(3);
/// Between two requests in good times, beyond what the bucket holds: fifty a second.
const STEP: Duration = Duration::from_millis(20);
/// The API server ends a watch after so long.
pub(crate) const WATCH_ENDS: Duration = Duration::from_secs(60);
/// Requests that may go at once in good times.
const BURST: u32 = 200;

/// The line in which requests stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The last failure, while in trouble.
    trouble: Option<Instant>,
    /// When the next request may go in trouble.
    next: Option<Instant>,
    /// When the bucket would be full again.
    full_at: Option<Instant>,
    /// When each watch, by its path and labels, was last asked for, if a moment ago.
    watches: HashMap<String, Instant>,
}

impl Pace {
    /// How long a request that wants to go now has to wait; its place in the line is taken.
    fn wait(&self, now: Instant) -> Duration {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.trouble.is_some() {
            let at = state.next.map_or(now, |n| n.max(now));
            state.next = Some(at + GAP);
            return at - now;
        }
        let full_at = state.full_at.map_or(now, |f| f.max(now)) + STEP;
        state.full_at = Some(full_at);
        (full_at - now).saturating_sub(STEP * BURST)
    }

    /// Waits for its turn; not much longer than trouble lasts.
    async fn turn(&self) {
        let mut wait = self.wait(Instant::now());
        let mut in_trouble = self.in_trouble();
        while !wait.is_zero() {
            if in_trouble && !self.in_trouble() {
                in_trouble = false;
                wait = wait.min(KEPT);
            }
            let step = wait.min(GAP);
            tokio::time::sleep(step).await;
            wait -= step;
        }
    }

    /// A watch of `what` is asked for at `now`: the one before was cut if it cannot have ended by itself.
    fn watched(&self, what: String, now: Instant) {
        let cut = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // What is longer ago says nothing any more.
            state.watches.retain(|_, at| now.duration_since(*at) < WATCH_ENDS / 2);
            state.watches.insert(what, now).is_some()
        };
        if cut {
            self.failed(now);
        }
    }

    fn in_trouble(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).trouble.is_some()
    }

    /// Something went wrong at `now`.
    pub(crate) fn failed(&self, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.trouble.is_none() {
            state.next = Some(now + GAP);
        }
        state.trouble = Some(now);
    }

    /// An answer came at `now`.
    pub(crate) fn answered(&self, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.trouble.is_some_and(|at| now.duration_since(at) >= CALM) {
            state.trouble = None;
        }
    }
}

/// Puts [`Pace`] before a client.
#[derive(Clone, Debug)]
pub(crate) struct PaceLayer(Pace);

impl PaceLayer {
    pub(crate) fn new(pace: Pace) -> PaceLayer {
        PaceLayer(pace)
    }
}

impl<S> Layer<S> for PaceLayer {
    type Service = Paced<S>;

    fn layer(&self, inner: S) -> Paced<S> {
        Paced {
            inner,
            pace: self.0.clone(),
        }
    }
}

/// A client with [`Pace`] before it.
#[derive(Clone, Debug)]
pub(crate) struct Paced<S> {
    inner: S,
    pace: Pace,
}

/// What is watched by a request for `uri`: its path and labels, without the version that each watch starts from.
fn watch_of(uri: &http::Uri) -> Option<String> {
    let query = uri.query()?;
    let mut labels = "";
    let mut is_watch = false;
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match name {
            "watch" => is_watch = value != "false" && value != "0",
            "labelSelector" => labels = value,
            _ => {}
        }
    }
    is_watch.then(|| format!("{}?{labels}", uri.path()))
}

impl<S, Q, B> Service<http::Request<Q>> for Paced<S>
where
    S: Service<http::Request<Q>, Response = http::Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Q>) -> Self::Future {
        if let Some(what) = watch_of(request.uri()) {
            self.pace.watched(what, Instant::now());
        }
        // Nothing is sent before this is awaited.
        let answer = self.inner.call(request);
        let pace = self.pace.clone();
        Box::pin(async move {
            pace.turn().await;
            let answer = answer.await;
            let well = match &answer {
                Ok(answer) => !(answer.status().is_server_error() || matches!(answer.status().as_u16(), 410 | 429)),
                Err(_) => false,
            };
            if well {
                pace.answered(Instant::now());
            } else {
                pace.failed(Instant::now());
            }
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of `n` requests goes that all want to go at `now`.
    fn all_at_once(pace: &Pace, now: Instant, n: u32) -> Vec<Duration> {
        (0..n).map(|_| pace.wait(now)).collect()
    }

    #[test]
    fn in_trouble_one_line_of_four_a_second() {
        let (pace, now) = (Pace::default(), Instant::now());
        assert_eq!(all_at_once(&pace, now, 50), [Duration::ZERO; 50]);
        pace.failed(now);
        let waits = all_at_once(&pace, now, 50);
        for second in 0..12 {
            let within = |w: &&Duration| w.as_secs() == second;
            assert!(waits.iter().filter(within).count() <= 4, "second {second}: {waits:?}");
        }
        // One good answer among bad ones is not the end of it.
        pace.answered(now + Duration::from_millis(500));
        assert!(pace.wait(now + Duration::from_millis(500)) > Duration::from_secs(10));
        pace.answered(now + CALM);
        assert_eq!(pace.wait(now + CALM), Duration::ZERO);
    }

    #[test]
    fn a_watch_asked_for_again_too_soon_was_cut() {
        let (pace, now) = (Pace::default(), Instant::now());
        let uri = |version: u32| {
            let uri = format!("/api/v1/namespaces?watch=true&resourceVersion={version}&labelSelector=a%3Db");
            watch_of(&uri.parse().expect("a URI")).expect("a watch")
        };
        assert_eq!(uri(1), "/api/v1/namespaces?a%3Db");
        assert_eq!(watch_of(&"/api/v1/namespaces?limit=500".parse().expect("a URI")), None);
        pace.watched(uri(1), now);
        pace.watched(uri(2), now + WATCH_ENDS);
        assert!(!pace.in_trouble());
        pace.watched(uri(3), now + WATCH_ENDS + Duration::from_secs(1));
        assert!(pace.in_trouble());
        pace.watched("/api/v1/pods?".to_owned(), now + WATCH_ENDS * 3);
        let kept = pace.0.lock().expect("no panic").watches.len();
        assert_eq!(kept, 1, "what was long ago is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn who_stands_in_line_does_not_go_at_once_when_trouble_ends() {
        let pace = Pace::default();
        let since = Instant::now();
        pace.failed(since);
        let line: Vec<_> = (0..100)
            .map(|_| {
                let pace = pace.clone();
                tokio::spawn(async move {
                    pace.turn().await;
                    since.elapsed()
                })
            })
            .collect();
        tokio::time::sleep(CALM).await;
        pace.answered(Instant::now());
        let mut went = Vec::new();
        for each in line {
            went.push(each.await.expect("no panic"));
        }
        for second in 0..4 {
            let of_it = went.iter().filter(|w| w.as_secs() == second).count();
            assert!(of_it <= 4, "second {second}: {went:?}");
        }
        assert!(went.iter().all(|w| *w <= CALM + KEPT + GAP * 2), "{went:?}");
    }

    #[test]
    fn in_good_times_a_burst_and_then_fifty_a_second() {
        let (pace, now) = (Pace::default(), Instant::now());
        let waits = all_at_once(&pace, now, 400);
        let at_once = waits.iter().filter(|w| w.is_zero()).count();
        assert_eq!(at_once, 200);
        assert_eq!(waits.last(), Some(&(STEP * 200)));
        assert_eq!(pace.wait(now + Duration::from_secs(60)), Duration::ZERO);
    }
}
