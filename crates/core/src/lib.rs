//! From bytes to decision: what is judged, by what, and what came of it. Pure: no files, network, clock or async.
//!
//! ```text
//! bundle ─▶ templates, constraints ─ compile ─▶ PolicySet (immutable, revision = digest)
//! manifest | request ─▶ Review ─▶ expansion ─▶ match ─▶ evaluate (+ Inventory) ─▶ Decision
//! ```

pub mod decision;
pub mod manifest;
pub mod review;
