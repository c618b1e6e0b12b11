//! Policies that change while a server runs: where they come from, and nothing that decides.
//!
//! ```text
//! disk | ConfigMaps | custom resources | shipped sets
//!      ─ Contribution ─▶ loader (one thread: debounce, one Bundle, compile) ─ Arc<Loaded> ─▶ Store ─▶ whoever judges
//!                                                                        └─ Outcome ─▶ status written back
//! ```
//!
//! The face, for a server:
//!
//! - [`start`] with [`Options`] gives a [`Watcher`]: its [`Store`] and, in a cluster, its [`Namespaces`].
//! - [`Store::current`] is the set to judge a review with: take it once a review, so that one answer is of one revision.
//!   `None` until the first whole set is loaded; that is what "not ready" means.
//! - [`Store::status`], [`Store::revisions`] say what is loaded, what was refused and why; [`Store::pin`] goes back.
//! - [`Namespaces::find`] gives the Namespace of a review: from the watched store, else looked up live.
//!
//! What is promised: a set that does not load never takes the place of one that does; a set is swapped whole; what is
//! served is named by its revision; the last good set outlives a restart. Design: `docs/design/serving.md`.

pub mod archive;
pub mod files;

mod attempt;
mod cache;
mod config_map;
mod custom;
mod disk;
mod follow;
mod loader;
mod namespaces;
mod namespaces_kept;
mod options;
mod pace;
mod set;
mod source;
mod speaker;
mod start;
mod status;
mod store;
mod writer;

pub mod cluster;

pub use cluster::Cluster;
pub use namespaces::Namespaces;
pub use options::{ClusterOptions, DiskSource, Options, Source};
pub use source::{Contribution, POLICY_EXTENSIONS, within};
pub use start::{Watcher, start};
pub use store::{Loaded, PinError, Revision, RevisionState, SourceState, SourceStatus, Status, Store};
