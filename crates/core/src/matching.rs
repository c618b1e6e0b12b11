//! Does a constraint apply to a review: a pure function a criterion.
