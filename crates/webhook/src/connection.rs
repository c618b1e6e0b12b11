//! Connections: who is there, since when, and what is cut.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// What is known of a connection.
#[derive(Debug)]
pub(crate) struct State {
    start: Instant,
    /// Requests that are being answered.
    in_flight: AtomicUsize,
    /// Requests answered.
    answered: AtomicU64,
    /// Milliseconds after `start` at which it became idle.
    idle_since: AtomicU64,
    /// Milliseconds after `start`, plus one, since when the client takes nothing; 0: it does.
    stalled_since: AtomicU64,
    /// Milliseconds after `start`, plus one, since when headers are being read; 0: they are not.
    heading_since: AtomicU64,
    /// Told to go.
    pub(crate) kicked: Notify,
}

impl State {
    fn new() -> State {
        State {
            start: Instant::now(),
            in_flight: AtomicUsize::new(0),
            answered: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            stalled_since: AtomicU64::new(0),
            heading_since: AtomicU64::new(0),
            kicked: Notify::new(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Marks a request as being answered until what it gives is dropped.
    pub(crate) fn request(self: &Arc<State>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.heading_since.store(0, Ordering::Relaxed);
        InFlight(self.clone())
    }

    /// How long nothing is being answered; `None`: something is.
    pub(crate) fn idle(&self) -> Option<Duration> {
        (self.in_flight.load(Ordering::Relaxed) == 0)
            .then(|| Duration::from_millis(self.now().saturating_sub(self.idle_since.load(Ordering::Relaxed))))
    }

    /// Whether anything was asked.
    pub(crate) fn asked(&self) -> bool {
        self.answered.load(Ordering::Relaxed) > 0
    }

    /// How long the client has taken nothing of what is to be sent.
    pub(crate) fn stalled(&self) -> Duration {
        self.since(&self.stalled_since)
    }

    /// How long the client has been sending the headers of one request.
    pub(crate) fn heading(&self) -> Duration {
        self.since(&self.heading_since)
    }

    fn since(&self, mark: &AtomicU64) -> Duration {
        match mark.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_millis((self.now() + 1).saturating_sub(since)),
        }
    }

    fn mark(&self, mark: &AtomicU64) {
        if mark.load(Ordering::Relaxed) == 0 {
            mark.store(self.now() + 1, Ordering::Relaxed);
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<State>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.answered.fetch_add(1, Ordering::Relaxed);
        self.0.idle_since.store(self.0.now(), Ordering::Relaxed);
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All connections.
#[derive(Debug)]
pub(crate) struct Connections {
    list: Mutex<HashMap<u64, Arc<State>>>,
    next: AtomicU64,
    most: usize,
}

impl Connections {
    pub(crate) fn new(most: usize) -> Connections {
        Connections {
            list: Mutex::default(),
            next: AtomicU64::new(0),
            most,
        }
    }

    /// Takes in a connection. When there are too many, the one that has been idle longest is told to go, so that who
    /// holds connections without asking anything keeps nobody out; `true` if there was one, `None` if all are at work.
    pub(crate) fn add(&self) -> Option<(u64, Arc<State>, bool)> {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let mut evicted = false;
        if list.len() >= self.most {
            let idle = |s: &Arc<State>| s.idle().map(|i| (!s.asked(), i));
            let longest = list
                .iter()
                .filter_map(|(id, s)| Some((*id, idle(s)?)))
                .max_by_key(|(_, i)| *i)
                .and_then(|(id, _)| list.remove(&id))?;
            longest.kicked.notify_one();
            evicted = true;
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let state = Arc::new(State::new());
        list.insert(id, state.clone());
        Some((id, state, evicted))
    }

    pub(crate) fn remove(&self, id: u64) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// A stream that notes when its client takes nothing.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    inner: S,
    state: Arc<State>,
}

impl<S> Watched<S> {
    pub(crate) fn new(inner: S, state: Arc<State>) -> Watched<S> {
        Watched { inner, state }
    }

    fn note<T>(&self, result: &Poll<io::Result<T>>) {
        let since = &self.state.stalled_since;
        match result {
            Poll::Ready(_) => since.store(0, Ordering::Relaxed),
            Poll::Pending => self.state.mark(since),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before && self.state.in_flight.load(Ordering::Relaxed) == 0 {
            self.state.mark(&self.state.heading_since);
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.note(&result);
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(cx);
        self.note(&result);
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.note(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
