//! An answer: what is said, and the AdmissionReview that says it.

use crate::request::Version;
use regent_rego::json;
use std::fmt::Write;
use std::sync::Arc;

/// The annotation that names the revision.
pub(crate) const REVISION: &str = "regent.dev/revision";
/// The same under a name that the API server takes: it puts the webhook's name and a slash before the key, and drops
/// keys with two slashes.
pub(crate) const REVISION_PLAIN: &str = "revision";

/// What a request is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Whether it may go on.
    pub(crate) allowed: bool,
    /// `status.code`.
    pub(crate) code: u16,
    /// `status.reason`.
    pub(crate) reason: &'static str,
    /// `status.message`.
    pub(crate) message: String,
    /// Shown by clients without refusing.
    pub(crate) warnings: Vec<String>,
    /// The policy set that decided.
    pub(crate) revision: Option<Arc<str>>,
}

impl Answer {
    /// May go on.
    pub(crate) fn allow(message: impl Into<String>) -> Answer {
        Answer {
            allowed: true,
            code: 200,
            message: message.into(),
            ..Answer::default()
        }
    }

    /// Refused by a rule.
    pub(crate) fn deny(message: impl Into<String>) -> Answer {
        Answer {
            code: 403,
            reason: "Forbidden",
            message: message.into(),
            ..Answer::default()
        }
    }

    /// Refused because it could not be judged.
    pub(crate) fn error(code: u16, message: impl Into<String>) -> Answer {
        Answer {
            code,
            message: message.into(),
            ..Answer::default()
        }
    }

    /// The AdmissionReview, in the fields' order of Kubernetes.
    pub(crate) fn write(&self, uid: &str, version: Version) -> Vec<u8> {
        let mut out = String::with_capacity(512 + self.message.len());
        out.push_str("{\"kind\":\"AdmissionReview\",\"apiVersion\":\"");
        out.push_str(version.as_str());
        out.push_str("\",\"response\":{\"uid\":");
        text(&mut out, uid);
        let _ = write!(out, ",\"allowed\":{},\"status\":{{\"metadata\":{{}}", self.allowed);
        if !self.message.is_empty() {
            out.push_str(",\"message\":");
            text(&mut out, &self.message);
        }
        if !self.reason.is_empty() {
            out.push_str(",\"reason\":");
            text(&mut out, self.reason);
        }
        let _ = write!(out, ",\"code\":{}}}", self.code);
        if let Some(revision) = &self.revision {
            out.push_str(",\"auditAnnotations\":{");
            for (i, key) in [REVISION, REVISION_PLAIN].into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                text(&mut out, key);
                out.push(':');
                text(&mut out, revision);
            }
            out.push('}');
        }
        if !self.warnings.is_empty() {
            out.push_str(",\"warnings\":[");
            for (i, warning) in self.warnings.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                text(&mut out, warning);
            }
            out.push(']');
        }
        out.push_str("}}");
        out.into_bytes()
    }
}

fn text(out: &mut String, text: &str) {
    json::write_string(out, text, false);
}

/// Lines of an answer: no more than `count`, none longer than `length` bytes, and what is left out is told.
pub(crate) fn cap(mut lines: Vec<String>, count: usize, length: usize) -> Vec<String> {
    let more = lines.len().saturating_sub(count);
    lines.truncate(count);
    for line in &mut lines {
        if line.len() > length {
            let left = line.len() - length;
            let mut end = length;
            while !line.is_char_boundary(end) {
                end -= 1;
            }
            line.truncate(end);
            let _ = write!(line, "… ({left} bytes more)");
        }
    }
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    lines
}

/// A message that names files without the folders that they are read from.
pub(crate) fn without_folders(message: &str, folders: &[String]) -> String {
    let mut message = message.to_owned();
    for folder in folders.iter().filter(|f| f.len() > 1) {
        let mut out = String::new();
        let mut rest = message.as_str();
        while let Some((before, after)) = rest.split_once(folder.as_str()) {
            out.push_str(before);
            // The end of a longer path is another folder.
            let inner = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
            if out.chars().next_back().is_some_and(inner) {
                out.push_str(folder);
            }
            rest = after;
        }
        out.push_str(rest);
        message = out;
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_without_their_folders() {
        let folders = ["/etc/policies/inner/", "/etc/policies/", "rules/", "/"].map(str::to_owned);
        for (message, wanted) in [
            (
                "/etc/policies/a/b.rego:3: eval_conflict_error: x",
                "a/b.rego:3: eval_conflict_error: x",
            ),
            ("/etc/policies/inner/a.rego:3: x", "a.rego:3: x"),
            ("[Implied by t] /etc/policies/a.rego:3: x", "[Implied by t] a.rego:3: x"),
            (
                "native says /etc/policies/a.rego:3: x; the second opinion says /etc/policies/b.rego",
                "native says a.rego:3: x; the second opinion says b.rego",
            ),
            ("rules/a.rego:1: x", "a.rego:1: x"),
            (
                "/srv/etc/policies/a.rego my-rules/b.rego",
                "/srv/etc/policies/a.rego my-rules/b.rego",
            ),
            (
                "configmap:regent-system/a/b.rego:1: x",
                "configmap:regent-system/a/b.rego:1: x",
            ),
            ("template:3: x", "template:3: x"),
        ] {
            assert_eq!(without_folders(message, &folders), wanted);
        }
    }

    #[test]
    fn caps_tell_what_they_left_out() {
        let lines = vec!["aé".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(cap(lines, 2, 2), ["a… (1 bytes more)", "b", "… and 1 more"]);
    }
}
