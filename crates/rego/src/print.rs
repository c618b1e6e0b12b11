//! Rego text of terms, expressions and rules, as OPA's `String()` methods write them (error messages use it).
