//! Admission by a running server: what an API server asks over TLS is judged and answered as Gatekeeper answers.
//!
//! ```text
//! socket ─ TLS ─ HTTP (async threads) ─ body ─▶ pool (threads that judge): parse ─ vet ─ exclude ─ evaluate ─▶ answer
//! ```
//!
//! The face, in the order things flow:
//!
//! - [`Source`]: where the server gets its policies and Namespaces; the watcher is behind it, or a set that stays.
//! - [`Config`] and [`Limits`]: what may be set, each number with its range.
//! - [`Server::bind`] and [`Server::run`]: serves until it is told to stop, then drains.
//! - [`admission`]: from the bytes of a review to the bytes of its answer; knows nothing of sockets.
//! - [`tls`]: certificates from a directory, or self-made.
//!
//! What is promised (each has a test): a review that cannot be judged is never allowed; what a tenant can cause is
//! answered as a review with `allowed: false` and its uid, not as a failure of HTTP, which a failure policy of `Ignore`
//! would let pass; an answer is of one policy revision and depends on no earlier request; everything is bounded.
//! Design: `docs/design/serving.md`.

pub mod admission;
pub mod limits;
pub mod metrics;
pub mod pool;
pub mod source;
pub mod tls;

mod admin;
mod admit;
mod answer;
mod body;
mod connection;
mod engines;
mod glimpse;
mod log;
mod outline;
mod request;
mod server;
mod service;

pub use admission::Options;
pub use engines::Engines;
pub use limits::Limits;
pub use log::LogOutput;
pub use server::{Config, Server};
pub use source::{Current, Fixed, KnownNamespace, Source};
