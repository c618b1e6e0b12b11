//! The listener for operators: health, readiness, metrics, policies. Plain HTTP, read only.

use crate::metrics::Text;
use crate::service::{Answer, Shared, respond, text};
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use regent_rego::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

const CONNECTIONS: usize = 64;
const HEADER_TIME: Duration = Duration::from_secs(5);
/// The longest that a connection lasts.
const LIFE: Duration = Duration::from_secs(60);

/// Accepts for ever.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(place) = room.clone().try_acquire_owned() else {
            continue;
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            let _place = place;
            let service = service_fn(|request: Request<Incoming>| {
                let answer = answer(&shared, &request);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIME)
                .max_buf_size(16 << 10)
                .serve_connection(TokioIo::new(stream), service);
            // Whoever breaks a connection off has broken it off.
            let _ = tokio::time::timeout(LIFE, connection).await;
        });
    }
}

fn answer(shared: &Shared, request: &Request<Incoming>) -> Answer {
    let path = request.uri().path();
    if !matches!(path, "/healthz" | "/readyz" | "/metrics" | "/v1/policies") {
        return text(404, "not found; there are /healthz, /readyz, /metrics and /v1/policies");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer = text(405, "this is read by GET");
        answer
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    match path {
        "/healthz" => text(200, "ok"),
        "/readyz" => {
            let reasons = unready(shared);
            if reasons.is_empty() {
                let degraded = shared.source.degraded();
                let lines =
                    std::iter::once("ok".to_owned()).chain(degraded.into_iter().map(|d| format!("degraded: {d}")));
                text(200, &lines.collect::<Vec<_>>().join("\n"))
            } else {
                text(503, &reasons.join("\n"))
            }
        }
        "/metrics" => {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            respond(200, kind, metrics(shared))
        }
        _ => {
            let mut body = json::write_indented(&shared.source.report(), "", "  ");
            body.push('\n');
            respond(200, "application/json", body)
        }
    }
}

/// Why the server is not ready; empty: it is.
fn unready(shared: &Shared) -> Vec<String> {
    let mut reasons = Vec::new();
    if shared.leaving.load(Ordering::Relaxed) {
        reasons.push("the server is stopping".to_owned());
    }
    if shared.source.current().is_none() {
        reasons.push("no policies are loaded yet".to_owned());
    } else if !shared.listening.load(Ordering::Relaxed) {
        // Whoever is told "ready" may ask at once.
        reasons.push("reviews are listened for in a moment".to_owned());
    }
    reasons.extend(shared.source.unready());
    reasons
}

fn metrics(shared: &Shared) -> String {
    let mut out = Text::default();
    let current = shared.source.current();
    shared.metrics.write(current.as_ref().map(|c| &*c.policies), &mut out);
    for (name, help, value) in [
        (
            "regent_ready",
            "1 when reviews are answered.",
            usize::from(unready(shared).is_empty()),
        ),
        (
            "regent_reviews_in_flight",
            "Reviews being answered.",
            shared.in_flight.load(Ordering::Relaxed),
        ),
        (
            "regent_queue_length",
            "Reviews that wait for a judging thread.",
            shared.pool.waiting(),
        ),
        ("regent_judging_threads", "Threads that judge.", shared.pool.threads()),
        (
            "regent_judging_threads_busy",
            "Threads that judge something now.",
            shared.pool.busy(),
        ),
        (
            "regent_large_body_bytes",
            "Bytes of large reviews held now.",
            shared.bodies.held(),
        ),
    ] {
        out.single(name, "gauge", help, value);
    }
    shared.source.metrics(&mut out);
    out.finish()
}
