//! Structural schemas, as custom resources have them.
