//! A kind of rule: its Rego and the schema of its parameters.
