//! One request: from its headers to its answer.

use crate::admission::{self, Clock, Options, Outcome, Path, Ready, Step};
use crate::body::{self, Budget, Fault};
use crate::connection::State;
use crate::limits::Limits;
use crate::log::Log;
use crate::metrics::{Limit, Metrics};
use crate::pool::{self, Pool};
use crate::source::Source;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, Version};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// Reviews larger than this are judged one at a time: parsed, they take a multiple of their size.
const LARGE: usize = 1 << 20;
/// Reviews up to this size are read on the threads that serve connections.
const SMALL: usize = 16 << 10;
/// Beyond so many times the limit of reviews at once, not even the uid is read.
const FLOOD: usize = 8;
/// No review may take longer, whatever it asks for: the API server's own limit.
const LONGEST: Duration = Duration::from_secs(30);

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) options: Options,
    pub(crate) limits: Limits,
    pub(crate) pool: Pool,
    pub(crate) metrics: Metrics,
    pub(crate) log: Option<Log>,
    pub(crate) bodies: Arc<Budget>,
    pub(crate) in_flight: AtomicUsize,
    pub(crate) large: Semaphore,
    /// The zero of the clock.
    pub(crate) start: std::time::Instant,
    /// Reviews can reach us.
    pub(crate) listening: AtomicBool,
    /// The server is about to end: connections are not to be used again.
    pub(crate) leaving: AtomicBool,
}

pub(crate) type Answer = Response<Full<Bytes>>;

/// Counts a review while it lasts.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers a request.
pub(crate) async fn handle(shared: Arc<Shared>, connection: Arc<State>, request: Request<Incoming>) -> Answer {
    let _in_flight = connection.request();
    let http1 = request.version() < Version::HTTP_2;
    let head = request.method() == Method::HEAD;
    // hyper bounds what it has read of a head that is not whole yet; one that came at once may be longer.
    let routed = if heading(&request) > shared.limits.headers {
        Err(Box::new(text(431, "the request line and headers are too long")))
    } else {
        route(&request)
    };
    let mut answer = match routed {
        Err(refusal) => *refusal,
        Ok(path) => review(&shared, path, request).await,
    };
    if http1 && shared.leaving.load(Ordering::Relaxed) {
        answer
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if head {
        // Over HTTP/2 nobody takes the body off.
        *answer.body_mut() = Full::default();
    }
    shared.metrics.response(answer.status().as_u16());
    answer
}

/// Bytes of a request line and headers, roughly.
fn heading<B>(request: &Request<B>) -> usize {
    let path = request.uri().path_and_query().map_or(0, |p| p.as_str().len());
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    headers.sum::<usize>() + request.method().as_str().len() + path
}

/// Which question it is, by its headers alone. What is refused here is nothing that an API server sends.
fn route<B>(request: &Request<B>) -> Result<Path, Box<Answer>> {
    let refuse = |code, message: &str| Err(Box::new(text(code, message)));
    let absolute = request.version() < Version::HTTP_2 && request.uri().scheme().is_some();
    let Some(path) = Path::parse(request.uri().path()).filter(|_| !absolute) else {
        return refuse(404, "not found; reviews go to /v1/admit, /v1/admitlabel and /v1/mutate");
    };
    if request.method() != Method::POST {
        let mut answer = text(405, "reviews are sent by POST");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Err(Box::new(answer));
    }
    if !is_json(request.headers()) {
        return refuse(415, "expected Content-Type: application/json");
    }
    if request.headers().get(CONTENT_ENCODING).is_some_and(|e| e != "identity") {
        return refuse(415, "a review is sent without Content-Encoding");
    }
    Ok(path)
}

/// `application/json`, with whatever parameters but another charset than UTF-8.
fn is_json(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(CONTENT_TYPE).iter();
    let (Some(one), None) = (all.next(), all.next()) else {
        return false;
    };
    let Ok(one) = one.to_str() else { return false };
    let mut parts = one.split(';').map(str::trim);
    if !parts.next().is_some_and(|t| t.eq_ignore_ascii_case("application/json")) {
        return false;
    }
    parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            let value = value.trim().trim_matches('"');
            value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("utf8")
        }
        _ => true,
    })
}

/// When a review must be answered: `?timeout=` less a margin for the way back.
fn deadline(query: Option<&str>, limits: &Limits, begin: Instant) -> Instant {
    let pairs = query.unwrap_or_default().split('&').filter_map(|p| p.split_once('='));
    let given = pairs.filter(|(k, _)| *k == "timeout").find_map(|(_, v)| duration(v));
    let timeout = given.unwrap_or(limits.default_deadline).min(LONGEST);
    let margin = (timeout / 10).clamp(Duration::from_millis(10), Duration::from_millis(500));
    begin + timeout.saturating_sub(margin)
}

/// Go's durations, as the API server writes them: `10s`, `1m30s`, `500ms`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(letters)?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        let number = number.parse::<u32>().ok()?;
        total = total.checked_add(Duration::from_millis(u64::from(number) * milliseconds))?;
        rest = tail;
    }
    (!total.is_zero()).then_some(total)
}

async fn review(shared: &Arc<Shared>, path: Path, request: Request<Incoming>) -> Answer {
    let begin = Instant::now();
    let until = deadline(request.uri().query(), &shared.limits, begin);
    let at_once = shared.in_flight.fetch_add(1, Ordering::Relaxed);
    let _counted = Counted(&shared.in_flight);
    let body = request.into_body();
    let outcome = if at_once >= shared.limits.concurrency {
        shared.metrics.hit(Limit::Concurrency);
        if at_once >= shared.limits.concurrency.saturating_mul(FLOOD) {
            return text(503, "too many reviews at once");
        }
        overload(body, begin).await
    } else {
        answer(shared, path, body, until).await
    };
    told(shared, path, outcome, begin)
}

/// Counts and logs an outcome, and makes a response of it.
fn told(shared: &Shared, path: Path, outcome: Outcome, begin: Instant) -> Answer {
    let took = begin.elapsed();
    match (path, outcome.status) {
        (Path::Mutate, _) => shared.metrics.mutation(took),
        (Path::Admit, Some(status)) => shared.metrics.review(status, outcome.dry_run, took),
        _ => {}
    }
    if let Some(log) = &shared.log {
        for line in outcome.lines {
            if !log.push(line) {
                shared.metrics.lines_dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    let kind = if outcome.http == 200 {
        "application/json"
    } else {
        "text/plain; charset=utf-8"
    };
    respond(outcome.http, kind, outcome.body)
}

/// There is too much to do: said at once, to the review it concerns.
async fn overload(mut body: Incoming, begin: Instant) -> Outcome {
    let beginning = body::beginning(&mut body, begin + Duration::from_secs(1)).await;
    admission::unjudged(Err(&beginning), 429, "too many reviews at once; try again")
}

async fn answer(shared: &Arc<Shared>, path: Path, mut body: Incoming, until: Instant) -> Outcome {
    let limits = &shared.limits;
    let body_until = until.min(Instant::now() + limits.body_time);
    let empty = body.is_end_stream();
    let (bytes, held) = match body::read(&mut body, limits, &shared.bodies, body_until).await {
        Ok(read) => read,
        Err((fault, beginning)) => return unread(shared, &fault, &beginning),
    };
    drop(body);
    if empty || bytes.is_empty() {
        return admission::unjudged(Err(&[]), 400, "the request has no body");
    }
    let _large = if bytes.len() > LARGE {
        match timeout_at(until, shared.large.acquire()).await {
            Ok(permit) => Some(permit),
            Err(_) => return late(shared, Err(&bytes)),
        }
    } else {
        None
    };
    // What is small is read here: that takes no longer than decrypting it did, and less than waking a thread for it.
    let mut step = Step::Later;
    if bytes.len() <= SMALL {
        let read = AssertUnwindSafe(|| begin(shared, path, &bytes, true));
        step = match catch_unwind(read) {
            Ok(step) => step,
            Err(_) => return failed(shared, pool::Fault::Panicked, &bytes),
        };
    }
    if let Step::Later = step {
        let job = {
            let (shared, bytes) = (shared.clone(), bytes.clone());
            move |worker| {
                // Memory for the body is given back when nobody needs it, which may be after its sender went away.
                let _held = held;
                match begin(&shared, path, &bytes, false) {
                    Step::Judge(ready) => Step::Done(judge(&shared, worker, &ready, until)),
                    step => step,
                }
            }
        };
        step = match timeout_at(until, shared.pool.run(job)).await {
            Err(_) => return late(shared, Err(&bytes)),
            Ok(Err(fault)) => return failed(shared, fault, &bytes),
            Ok(Ok(step)) => step,
        };
    }
    match step {
        Step::Done(outcome) => outcome,
        Step::Judge(ready) => {
            let identity = ready.identity();
            let job = {
                let shared = shared.clone();
                move |worker| (judge(&shared, worker, &ready, until), ready)
            };
            // A thread gives memory back for less where it got it.
            let judged = async { shared.pool.run(job).await.map(|(outcome, _ready)| outcome) };
            told_by(shared, judged, identity, until).await
        }
        Step::Namespace(pending) => {
            let identity = pending.identity();
            shared.metrics.lookups.fetch_add(1, Ordering::Relaxed);
            let Ok(found) = timeout_at(until, shared.source.look_up(&pending.namespace)).await else {
                return late(shared, Ok(identity));
            };
            if found.is_err() {
                shared.metrics.lookup_failures.fetch_add(1, Ordering::Relaxed);
            }
            let job = {
                let shared = shared.clone();
                move |worker| match admission::resume(*pending, found, &shared.options) {
                    Ok(ready) => judge(&shared, worker, &ready, until),
                    Err(outcome) => *outcome,
                }
            };
            told_by(shared, shared.pool.run(job), identity, until).await
        }
        // Who is in no hurry leaves nothing for later.
        Step::Later => failed(shared, pool::Fault::Panicked, &bytes),
    }
}

/// What a judging thread says in time.
async fn told_by(
    shared: &Shared,
    job: impl Future<Output = Result<Outcome, pool::Fault>>,
    identity: (String, crate::request::Version),
    until: Instant,
) -> Outcome {
    match timeout_at(until, job).await {
        Err(_) => late(shared, Ok(identity)),
        Ok(Err(fault)) => {
            let (code, message) = fault_told(shared, fault);
            admission::unjudged(Ok(identity), code, message)
        }
        Ok(Ok(outcome)) => outcome,
    }
}

/// Reads a review, and answers it when no policy is to be asked.
fn begin(shared: &Shared, path: Path, bytes: &[u8], hurry: bool) -> Step {
    let current = shared.source.current();
    let namespace = |name: &str| shared.source.namespace(name);
    if path == Path::Admit
        && let Some(current) = &current
        && let Some(outcome) = admission::glance(bytes, current, namespace, &shared.options)
    {
        return Step::Done(outcome);
    }
    admission::begin(path, bytes, current, namespace, &shared.options, hurry)
}

/// On a judging thread: asks the policies.
fn judge(shared: &Shared, worker: usize, ready: &Ready, until: Instant) -> Outcome {
    let outcome = timed(shared, until, |clock| admission::judge(ready, &shared.options, clock));
    let policies = ready.policies();
    shared
        .metrics
        .evaluated(worker, &policies, &outcome.spent, &outcome.failed);
    shared.metrics.second(outcome.disagreements, outcome.unconfirmed);
    outcome
}

fn timed<T>(shared: &Shared, until: Instant, run: impl FnOnce(Clock<'_>) -> T) -> T {
    let start = shared.start;
    let now = move || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let left = until.saturating_duration_since(Instant::now());
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    run(Clock {
        now: &now,
        budget: u64::try_from(left.as_nanos()).unwrap_or(u64::MAX),
        time_ns: i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
    })
}

type Identity<'a> = Result<(String, crate::request::Version), &'a [u8]>;

fn late(shared: &Shared, identity: Identity<'_>) -> Outcome {
    shared.metrics.hit(Limit::Deadline);
    admission::unjudged(identity, 504, "the review could not be judged before its deadline")
}

fn failed(shared: &Shared, fault: pool::Fault, beginning: &[u8]) -> Outcome {
    let (code, message) = fault_told(shared, fault);
    admission::unjudged(Err(beginning), code, message)
}

fn fault_told(shared: &Shared, fault: pool::Fault) -> (u16, &'static str) {
    match fault {
        pool::Fault::Full => {
            shared.metrics.hit(Limit::Concurrency);
            (429, "too many reviews at once; try again")
        }
        pool::Fault::Panicked => {
            shared.metrics.panics.fetch_add(1, Ordering::Relaxed);
            (
                500,
                "judging failed; this is a fault of Regent, please report it with the review",
            )
        }
        pool::Fault::Closed => (503, "the server is stopping"),
    }
}

fn unread(shared: &Shared, fault: &Fault, beginning: &[u8]) -> Outcome {
    let most = shared.limits.body;
    let (limit, code, message) = match fault {
        Fault::TooLarge => (
            Some(Limit::Body),
            413,
            format!("the review is larger than {most} bytes"),
        ),
        Fault::NoRoom => (
            Some(Limit::Bodies),
            429,
            "too many large reviews at once; try again".to_owned(),
        ),
        Fault::Slow => (
            Some(Limit::BodyTime),
            408,
            "the review did not arrive in time".to_owned(),
        ),
        Fault::Broken => (None, 400, "the review ended before its end".to_owned()),
    };
    if let Some(limit) = limit {
        shared.metrics.hit(limit);
    }
    admission::unjudged(Err(beginning), code, &message)
}

/// A plain text response.
pub(crate) fn text(code: u16, message: &str) -> Answer {
    respond(code, "text/plain; charset=utf-8", format!("{message}\n").into_bytes())
}

/// A response.
pub(crate) fn respond(code: u16, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = hyper::StatusCode::from_u16(code).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_leave_a_margin() {
        let limits = Limits::default();
        let begin = Instant::now();
        for (query, milliseconds) in [
            (Some("timeout=10s"), 9_500),
            (Some("timeout=3s"), 2_700),
            (Some("a=b&timeout=1m30s"), 29_500),
            (Some("timeout=500ms"), 450),
            (Some("timeout="), 9_500),
            (Some("timeout=-1s"), 9_500),
            (Some("timeout=99999999999999999999s"), 9_500),
            (Some("timeout"), 9_500),
            (None, 9_500),
        ] {
            let until = deadline(query, &limits, begin).duration_since(begin);
            assert_eq!(until, Duration::from_millis(milliseconds), "{query:?}");
        }
    }

    #[test]
    fn types_of_content() {
        for (value, wanted) in [
            ("application/json", true),
            ("Application/JSON", true),
            ("application/json; charset=utf-8", true),
            ("application/json;charset=\"UTF-8\"", true),
            ("application/json; charset=utf-16", false),
            ("application/json2", false),
            ("text/plain", false),
            ("application/yaml", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(value).unwrap());
            assert_eq!(is_json(&headers), wanted, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
