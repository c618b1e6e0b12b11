//! Regent: policy as code for Kubernetes.
fn main() {}
