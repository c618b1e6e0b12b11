//! A TCP proxy between us and the API server, that counts and fails as told.
#![allow(dead_code, reason = "each test uses its part")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What it does with connections, those it has included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Passes everything on.
    Pass,
    /// Ends connections, and new ones at once.
    Refuse,
    /// Takes everything and passes nothing on: connections are dead without a word.
    Stall,
    /// Ends connections after a few bytes.
    Cut,
    /// Passes on what we say and nothing of what is answered.
    HalfOpen,
    /// Passes everything on, late.
    Delay,
}

/// How late things are that are delayed, each way and piece by piece.
const DELAY: Duration = Duration::from_millis(200);

pub(crate) struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    mode: AtomicU8,
    connections: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

impl State {
    fn mode(&self) -> Mode {
        match self.mode.load(Ordering::SeqCst) {
            0 => Mode::Pass,
            1 => Mode::Refuse,
            2 => Mode::Stall,
            3 => Mode::Cut,
            4 => Mode::HalfOpen,
            _ => Mode::Delay,
        }
    }
}

impl Proxy {
    pub(crate) fn start(to: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("address").port();
        let state = Arc::new(State::default());
        let shared = state.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                if shared.mode() == Mode::Refuse {
                    let _ = connection.shutdown(Shutdown::Both);
                    continue;
                }
                // Nobody there: what comes in is closed again.
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else {
                    continue;
                };
                let mut open = shared.open.lock().expect("lock");
                open.push(connection.try_clone().expect("clone"));
                open.push(server.try_clone().expect("clone"));
                drop(open);
                let (a, b) = (
                    connection.try_clone().expect("clone"),
                    server.try_clone().expect("clone"),
                );
                for (from, to, is_answer) in [(connection, server, false), (b, a, true)] {
                    let shared = shared.clone();
                    std::thread::spawn(move || pump(from, to, is_answer, &shared));
                }
            }
        });
        Proxy { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.state.mode.store(mode as u8, Ordering::SeqCst);
        if matches!(mode, Mode::Refuse | Mode::Cut) {
            for stream in self.state.open.lock().expect("lock").drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

/// Passes bytes on; what stalled once passes nothing ever again.
fn pump(mut from: TcpStream, mut to: TcpStream, is_answer: bool, state: &State) {
    let mut buffer = [0; 16 << 10];
    let mut dead = state.mode() == Mode::Stall;
    let mut passed = 0;
    while let Ok(n) = from.read(&mut buffer) {
        dead |= state.mode() == Mode::Stall || (is_answer && state.mode() == Mode::HalfOpen);
        if n == 0 {
            break;
        }
        if dead {
            std::thread::sleep(Duration::from_millis(10));
            continue;
        }
        if state.mode() == Mode::Cut && passed > 2_000 {
            break;
        }
        if state.mode() == Mode::Delay {
            std::thread::sleep(DELAY);
        }
        passed += n;
        if to.write_all(buffer.get(..n).unwrap_or_default()).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
