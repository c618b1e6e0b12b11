//! Sockets: bound at once, listened on when there are policies, drained at the end.

use crate::admin;
use crate::admission::Options;
use crate::body::Budget;
use crate::connection::{Connections, State, Watched};
use crate::limits::Limits;
use crate::log::{Log, LogOutput};
use crate::metrics::{Limit, Metrics};
use crate::pool::Pool;
use crate::service::{self, Shared};
use crate::source::Source;
use crate::tls::{Reload, Tls};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// Connections that wait for being accepted.
const BACKLOG: u32 = 1_024;
/// How often connections and certificates are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The longest that a first policy set waits for being noticed.
const SOON: Duration = Duration::from_millis(20);

/// What a server is made of.
pub struct Config {
    /// Where reviews come in.
    pub listen: SocketAddr,
    /// Where operators look.
    pub admin: SocketAddr,
    /// Certificates.
    pub tls: Arc<Tls>,
    /// Policies and Namespaces.
    pub source: Arc<dyn Source>,
    /// Numbers.
    pub limits: Limits,
    /// What answers depend on besides policies.
    pub options: Options,
    /// Where lines of decisions go.
    pub log: Option<LogOutput>,
    /// From "not ready" to the end of accepting: the time in which endpoints are taken out of service.
    pub shutdown_delay: Duration,
    /// The longest that what is in flight is waited for.
    pub drain_time: Duration,
    /// Told what operators should see in a log.
    pub notice: fn(&str),
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// A server whose addresses are taken.
#[derive(Debug)]
pub struct Server {
    config: Config,
    socket: TcpSocket,
    admin: TcpListener,
    listen: SocketAddr,
}

/// Everything a connection needs.
struct Inner {
    shared: Arc<Shared>,
    tls: Arc<Tls>,
    connections: Connections,
    draining: watch::Receiver<bool>,
}

impl Server {
    /// Takes the addresses. Reviews are refused by the system until [`Server::run`] has policies; the admin listener
    /// answers once it runs.
    ///
    /// # Errors
    /// A number is out of its range, or an address cannot be had.
    pub fn bind(config: Config) -> Result<Server, String> {
        config.limits.check()?;
        let failed =
            |what: &str, address: SocketAddr, e: io::Error| format!("cannot listen on {address} ({what}): {e}");
        let socket = new_socket(config.listen).map_err(|e| failed("reviews", config.listen, e))?;
        let listen = socket.local_addr().map_err(|e| failed("reviews", config.listen, e))?;
        let admin = new_socket(config.admin)
            .and_then(|s| s.listen(BACKLOG))
            .map_err(|e| failed("admin", config.admin, e))?;
        Ok(Server {
            config,
            socket,
            admin,
            listen,
        })
    }

    /// Where reviews come in; the port that was found when port 0 was asked for.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where operators look.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin.local_addr().ok()
    }

    /// Serves until `stop` ends: then not ready, a delay in which everything is still answered, no new connections, and
    /// what is in flight is waited for.
    ///
    /// # Errors
    /// Threads cannot be started or the address cannot be listened on.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), String> {
        let Server {
            config, socket, admin, ..
        } = self;
        let limits = config.limits;
        let threads = |e: io::Error| format!("cannot start threads: {e}");
        let pool = Pool::start(limits.threads, limits.concurrency).map_err(threads)?;
        let (log, writer) = match config.log.map(Log::start).transpose().map_err(threads)? {
            Some((log, writer)) => (Some(log), Some(writer)),
            None => (None, None),
        };
        let options = Options {
            depth: limits.depth,
            values: limits.values,
            constraint_time: limits.constraint_time,
            memory: limits.memory,
            message: limits.message,
            messages: limits.messages,
            log_denies: log.is_some(),
            ..config.options
        };
        let (drain, draining) = watch::channel(false);
        let shared = Arc::new(Shared {
            source: config.source,
            options,
            pool,
            metrics: Metrics::new(limits.threads),
            log,
            bodies: Budget::new(limits.bodies),
            in_flight: AtomicUsize::new(0),
            large: Semaphore::new(1),
            start: std::time::Instant::now(),
            listening: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            limits,
        });
        let inner = Arc::new(Inner {
            connections: Connections::new(shared.limits.connections),
            tls: config.tls.clone(),
            shared: shared.clone(),
            draining,
        });
        shared
            .metrics
            .certificate_not_after
            .store(config.tls.not_after(), Ordering::Relaxed);
        let admin = tokio::spawn(admin::serve(admin, shared.clone()));
        let certificates = tokio::spawn(certificates(config.tls, shared.clone(), config.notice));

        let mut stop = pin!(stop);
        let (open, mut closed) = mpsc::channel::<()>(1);
        let ready = tokio::select! {
            () = first_set(&*shared.source) => true,
            () = &mut stop => false,
        };
        if ready {
            let listener = socket.listen(BACKLOG).map_err(|e| format!("cannot listen: {e}"))?;
            shared.listening.store(true, Ordering::Relaxed);
            tokio::select! {
                () = accept(&listener, &inner, &open) => {}
                () = &mut stop => {}
            }
            shared.leaving.store(true, Ordering::Relaxed);
            (config.notice)("stopping: not ready any more, still answering");
            let _ = timeout(config.shutdown_delay, accept(&listener, &inner, &open)).await;
            // Who got through until now is answered; who comes later is refused by the system.
            let _ = timeout(Duration::from_millis(1), accept(&listener, &inner, &open)).await;
            drop(listener);
        }
        let _ = drain.send(true);
        drop(open);
        if timeout(config.drain_time, closed.recv()).await.is_err() {
            (config.notice)("stopped with requests in flight: they took longer than the drain time");
        }
        admin.abort();
        certificates.abort();
        if let (Some(writer), Some(log)) = (writer, &shared.log) {
            let log = log.clone();
            let written = tokio::task::spawn_blocking(move || {
                log.end();
                writer.join()
            });
            // A reader that stalls does not keep the server.
            let _ = timeout(Duration::from_secs(1), written).await;
        }
        Ok(())
    }
}

fn new_socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn first_set(source: &dyn Source) {
    while source.current().is_none() {
        // A change that came between the two looks is seen by the next look.
        let _ = timeout(SOON, source.changed()).await;
    }
}

async fn certificates(tls: Arc<Tls>, shared: Arc<Shared>, notice: fn(&str)) {
    let mut said = String::new();
    loop {
        sleep(LOOK).await;
        let again = tls.clone();
        let Ok(reload) = tokio::task::spawn_blocking(move || again.reload()).await else {
            continue;
        };
        let metrics = &shared.metrics;
        match reload {
            Reload::Same => said.clear(),
            Reload::Taken => {
                metrics.certificate_reloads.fetch_add(1, Ordering::Relaxed);
                metrics.certificate_not_after.store(tls.not_after(), Ordering::Relaxed);
                notice("certificate replaced");
                said.clear();
            }
            Reload::Kept(why) => {
                metrics.certificate_failures.fetch_add(1, Ordering::Relaxed);
                if why != said {
                    notice(&format!("the certificate in force is kept: {why}"));
                    said = why;
                }
            }
        }
    }
}

/// Accepts for ever.
async fn accept(listener: &TcpListener, inner: &Arc<Inner>, open: &mpsc::Sender<()>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Out of file descriptors, or a connection that is gone already.
                sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let metrics = &inner.shared.metrics;
        metrics.connections_total.fetch_add(1, Ordering::Relaxed);
        let Some((id, state, evicted)) = inner.connections.add() else {
            metrics.hit(Limit::Connections);
            continue;
        };
        if evicted {
            metrics.hit(Limit::Connections);
        }
        let (inner, open) = (inner.clone(), open.clone());
        tokio::spawn(async move {
            let _open = open;
            let metrics = &inner.shared.metrics;
            metrics.connections.fetch_add(1, Ordering::Relaxed);
            tokio::select! {
                () = state.kicked.notified() => {}
                () = connection(&inner, stream, &state) => {}
            }
            metrics.connections.fetch_sub(1, Ordering::Relaxed);
            inner.connections.remove(id);
        });
    }
}

async fn connection(inner: &Arc<Inner>, stream: TcpStream, state: &Arc<State>) {
    let limits = &inner.shared.limits;
    let metrics = &inner.shared.metrics;
    let _ = stream.set_nodelay(true);
    let handshake = TlsAcceptor::from(inner.tls.config()).accept(stream);
    let stream = match timeout(limits.handshake_time, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(_)) => {
            metrics.handshake_failures.fetch_add(1, Ordering::Relaxed);
            return;
        }
        Err(_) => return metrics.hit(Limit::HandshakeTime),
    };
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let io = TokioIo::new(Watched::new(stream, state.clone()));
    let service = service_fn(|request: Request<Incoming>| {
        let answer = service::handle(inner.shared.clone(), state.clone(), request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    if is_h2 {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(u32::try_from(limits.headers).unwrap_or(u32::MAX))
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(4 << 20)
            .max_frame_size(64 << 10)
            .max_pending_accept_reset_streams(Some(20))
            .max_local_error_reset_streams(Some(128))
            .max_send_buf_size(1 << 20)
            .keep_alive_interval(Some(Duration::from_secs(30)))
            .keep_alive_timeout(Duration::from_secs(10))
            .serve_connection(io, service);
        watched(Box::pin(connection), inner, state, true).await;
    } else {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // Its clock also runs while nothing is asked, so it is the one for idle connections.
            .header_read_timeout(limits.idle_time)
            .max_buf_size(limits.headers)
            .serve_connection(io, service);
        watched(Box::pin(connection), inner, state, false).await;
    }
}

/// A connection that can be told to end after what it is doing.
trait Graceful: Future<Output = hyper::Result<()>> {
    fn leave(self: Pin<&mut Self>);
}

impl<I, S> Graceful for http1::Connection<I, S>
where
    http1::Connection<I, S>: Future<Output = hyper::Result<()>>,
    S: hyper::service::HttpService<Incoming>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S::ResBody: 'static,
    <S::ResBody as hyper::body::Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn leave(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, E> Graceful for http2::Connection<I, S, E>
where
    http2::Connection<I, S, E>: Future<Output = hyper::Result<()>>,
    S: hyper::service::HttpService<Incoming>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S::ResBody: 'static,
    <S::ResBody as hyper::body::Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, S::ResBody>,
{
    fn leave(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Runs a connection, and cuts it when it breaks a limit of time.
async fn watched<C: Graceful>(mut connection: Pin<Box<C>>, inner: &Inner, state: &State, is_h2: bool) {
    let limits = &inner.shared.limits;
    let metrics = &inner.shared.metrics;
    let mut draining = inner.draining.clone();
    let mut look = interval(LOOK.min(limits.header_time));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut left) = (None, false);
    loop {
        tokio::select! {
            // Who breaks a connection off has broken it off.
            _ = connection.as_mut() => return,
            _ = draining.wait_for(|d| *d), if told.is_none() => told = Some(Instant::now()),
            _ = look.tick() => {}
        }
        // A connection that was just made may have a request on its way, which leaving at once would lose.
        let fresh = !is_h2 && !state.asked() && state.idle().is_some();
        if told.is_some_and(|t: Instant| !fresh || t.elapsed() >= LOOK) && !left {
            left = true;
            connection.as_mut().leave();
        }
        if state.stalled() > limits.write_time {
            return metrics.hit(Limit::WriteTime);
        }
        let Some(idle) = state.idle() else { continue };
        // HTTP/2 sends frames between requests, so there only the first request has a time.
        let heading = if is_h2 { Duration::ZERO } else { state.heading() };
        if heading > limits.header_time || (!state.asked() && idle > limits.header_time) {
            return metrics.hit(Limit::HeaderTime);
        }
        if idle > limits.idle_time {
            metrics.hit(Limit::IdleTime);
            if left {
                return;
            }
            left = true;
            connection.as_mut().leave();
        }
    }
}
