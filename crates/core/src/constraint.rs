//! A template with parameters, match and enforcement action.
