//! Where `serve` gets its policies.

use crate::arguments::Serve;
use crate::policies::Loaded;
use regent_webhook::{Fixed, Source};
use std::sync::Arc;

/// What is served when nothing is asked for, as with `check`.
const DEFAULT: &str = "builtin:pod-security-baseline";

pub(super) fn open(args: &Serve) -> Result<Arc<dyn Source>, String> {
    let mut loaded = Loaded::default();
    if args.policy.is_empty() {
        loaded.add(DEFAULT);
    }
    for source in &args.policy {
        loaded.add(source);
    }
    match loaded.compile(false) {
        Ok(set) => Ok(Arc::new(Fixed::new(set))),
        Err(_) => Err("the policies do not load".to_owned()),
    }
}
