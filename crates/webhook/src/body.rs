//! Bodies of requests: read whole, within size, time and the memory that all of them share.

use crate::limits::Limits;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::{Instant, timeout_at};

/// Bytes that a body may have without counting: a flood of large bodies keeps no small one out.
const SMALL: usize = 64 << 10;
/// How much more than a body may have is read and thrown away, so that its sender gets to read the answer.
const PATIENCE: u64 = 4;

/// Bytes of large bodies that are held.
#[derive(Debug)]
pub(crate) struct Budget {
    held: AtomicUsize,
    most: usize,
}

impl Budget {
    pub(crate) fn new(most: usize) -> Arc<Budget> {
        Arc::new(Budget {
            held: AtomicUsize::new(0),
            most,
        })
    }

    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> bool {
        let fits = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= self.most);
        self.held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .is_ok()
    }
}

/// What a body counts for; given back when dropped.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Held {
    /// Counts for at least so much; `false`: there is no room.
    fn grow(&mut self, to: usize) -> bool {
        let more = to.saturating_sub(self.bytes);
        let fits = more == 0 || self.budget.take(more);
        if fits {
            self.bytes += more;
        }
        fits
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Why a body was not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Larger than a body may be.
    TooLarge,
    /// Large bodies hold all the memory there is for them.
    NoRoom,
    /// Did not end in time.
    Slow,
    /// Ended before its end, or is no body.
    Broken,
}

/// Reads a body to its end; a fault comes with what was read.
pub(crate) async fn read(
    body: &mut Incoming,
    limits: &Limits,
    budget: &Arc<Budget>,
    until: Instant,
) -> Result<(Bytes, Held), (Fault, Bytes)> {
    let mut held = Held {
        budget: budget.clone(),
        bytes: 0,
    };
    let declared = body.size_hint().exact();
    let mut whole: Vec<u8> = Vec::new();
    loop {
        let data = match timeout_at(until, body.frame()).await {
            Err(_) => return Err((Fault::Slow, whole.into())),
            Ok(Some(Err(_))) => return Err((Fault::Broken, whole.into())),
            Ok(None) => return Ok((whole.into(), held)),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => data,
                // Trailers say nothing here.
                Err(_) => continue,
            },
        };
        let size = whole.len() + data.len();
        let too_large = size > limits.body || declared.is_some_and(|d| d > limits.body as u64);
        if too_large {
            whole.extend_from_slice(data.get(..data.len().min(SMALL)).unwrap_or(&data));
            whole.truncate(SMALL);
            discard(body, limits, declared, until).await;
            return Err((Fault::TooLarge, whole.into()));
        }
        if whole.is_empty() && body.is_end_stream() {
            return if size <= SMALL || held.grow(size) {
                Ok((data, held))
            } else {
                Err((Fault::NoRoom, data))
            };
        }
        if size > whole.capacity() {
            let wanted = match declared {
                Some(declared) => usize::try_from(declared).unwrap_or(size).max(size),
                None => size.max(whole.capacity() * 2).min(limits.body),
            };
            if wanted > SMALL && !held.grow(wanted) {
                whole.extend_from_slice(data.get(..data.len().min(SMALL)).unwrap_or(&data));
                return Err((Fault::NoRoom, whole.into()));
            }
            whole.reserve_exact(wanted - whole.len());
        }
        whole.extend_from_slice(&data);
    }
}

/// Reads the beginning of a body that will not be judged.
pub(crate) async fn beginning(body: &mut Incoming, until: Instant) -> Bytes {
    while let Ok(Some(Ok(frame))) = timeout_at(until, body.frame()).await {
        if let Ok(data) = frame.into_data() {
            return data;
        }
    }
    Bytes::new()
}

/// Reads on and keeps nothing: who is answered before the end of what it sends may miss the answer.
async fn discard(body: &mut Incoming, limits: &Limits, declared: Option<u64>, until: Instant) {
    let most = (limits.body as u64).saturating_mul(PATIENCE);
    if declared.is_some_and(|d| d > most) {
        return;
    }
    let mut seen = 0;
    while let Ok(Some(Ok(frame))) = timeout_at(until, body.frame()).await {
        seen += frame.data_ref().map_or(0, |d| d.len() as u64);
        if seen > most {
            return;
        }
    }
}
