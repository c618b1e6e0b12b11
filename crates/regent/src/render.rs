//! Reports in the formats that people and tools read, a file each.

pub(crate) mod coverage;
pub(crate) mod eval;
pub(crate) mod explain;
pub(crate) mod github;
pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod policyreport;
pub(crate) mod sarif;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod verify_json;
pub(crate) mod verify_junit;
pub(crate) mod verify_text;
mod xml;

/// `1 object`, `2 objects`.
pub(crate) fn count(n: usize, what: &str) -> String {
    match (n, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (n, Some(stem)) if !what.ends_with("ay") => format!("{n} {stem}ies"),
        (n, _) => format!("{n} {what}s"),
    }
}

#[cfg(test)]
mod published;
#[cfg(test)]
mod tests;
