//! From a workload to the objects it implies.
