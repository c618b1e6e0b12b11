//! What an answer takes when no policy asks for the kind of object that a review is about: the review is checked whole,
//! but nothing of it is made into a value.

use crate::request::{LONGEST_UID, Version};
use regent_core::Head;
use regent_rego::json;

/// An AdmissionReview by its names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline<'a> {
    pub(crate) version: Version,
    pub(crate) uid: &'a str,
    /// `request.kind`.
    pub(crate) group: &'a str,
    kind: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) dry_run: bool,
    operation: &'a str,
    object: Option<Head<'a>>,
    old_object: Option<Head<'a>>,
}

impl<'a> Outline<'a> {
    /// The object, or on DELETE the one that goes.
    pub(crate) fn subject(&self) -> Option<Head<'a>> {
        if self.operation == "DELETE" {
            self.old_object
        } else {
            self.object
        }
    }

    /// Whether it is about a core Namespace.
    pub(crate) fn is_namespace(&self) -> bool {
        self.group.is_empty() && self.kind == "Namespace"
    }

    /// What is judged: the subject and what it replaces.
    pub(crate) fn objects(&self) -> impl Iterator<Item = Head<'a>> {
        self.subject().into_iter().chain(self.old_object)
    }
}

/// Reads a body. `None`: it has to be read whole, be it because something is wrong or just unusual, or because
/// `asked_for` says that a policy asks for its group and kind, which an API server tells first.
pub(crate) fn outline<'a>(
    body: &'a [u8],
    options: json::ReadOptions,
    asked_for: impl Fn(&str, &str) -> bool,
) -> Option<Outline<'a>> {
    let mut walk = json::Walk::new(body, options)?;
    let (mut kind, mut version, mut out) = ("", None, None);
    walk.members(|walk, key| {
        match key {
            "kind" => kind = walk.text()?,
            "apiVersion" => version = Version::parse(walk.text()?),
            "request" => out = Some(request(walk, &asked_for)?),
            _ => walk.pass()?,
        }
        Some(())
    })?;
    walk.end()?;
    let out = Outline {
        version: version?,
        ..out?
    };
    let readable = kind == "AdmissionReview" && !out.uid.is_empty() && out.uid.len() <= LONGEST_UID;
    readable.then_some(out)
}

fn request<'a>(walk: &mut json::Walk<'a>, asked_for: &impl Fn(&str, &str) -> bool) -> Option<Outline<'a>> {
    let mut out = Outline::default();
    let mut told = false;
    walk.members(|walk, key| {
        match key {
            "uid" => out.uid = walk.text()?,
            "kind" => {
                walk.members(|walk, key| {
                    match key {
                        "group" => out.group = walk.text()?,
                        "kind" => out.kind = walk.text()?,
                        _ => walk.pass()?,
                    }
                    Some(())
                })?;
                told = !asked_for(out.group, out.kind);
                return told.then_some(());
            }
            "namespace" => out.namespace = walk.text()?,
            "operation" => out.operation = walk.text()?,
            "dryRun" => out.dry_run = walk.flag()?,
            // An API server tells the kind first. Who does not is read whole.
            "object" | "oldObject" if !told => return None,
            "object" => out.object = head(walk)?,
            "oldObject" => out.old_object = head(walk)?,
            _ => walk.pass()?,
        }
        Some(())
    })?;
    told.then_some(out)
}

fn head<'a>(walk: &mut json::Walk<'a>) -> Option<Option<Head<'a>>> {
    if walk.is_null() {
        return walk.pass().map(|()| None);
    }
    let (mut api_version, mut kind, mut name, mut namespace) = ("", "", "", "");
    walk.members(|walk, key| match key {
        "apiVersion" => walk.text().map(|text| api_version = text),
        "kind" => walk.text().map(|text| kind = text),
        "metadata" => walk.members(|walk, key| match key {
            "name" => walk.text().map(|text| name = text),
            "namespace" => walk.text().map(|text| namespace = text),
            _ => walk.pass(),
        }),
        _ => walk.pass(),
    })?;
    Some(Some(Head::new(api_version, kind, name, namespace)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

    use super::*;

    const KIND: &str = r#""kind":{"group":"","version":"v1","kind":"ConfigMap"}"#;

    fn review(request: &str) -> String {
        format!(r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"u",{request}}}}}"#)
    }

    fn outlined(body: &str) -> Option<Outline<'_>> {
        let options = json::ReadOptions {
            refuse_duplicates: true,
            ..json::ReadOptions::default()
        };
        outline(body.as_bytes(), options, |group, kind| {
            group == "apps" && kind == "Deployment"
        })
    }

    #[test]
    fn an_outline_has_the_names() {
        let object = |name| {
            format!(
                r#"{{"apiVersion":"v1","kind":"ConfigMap","data":{{"name":"v"}},"metadata":{{"name":"{name}",
                "namespace":"n","labels":{{"name":"x"}}}}}}"#
            )
        };
        for (operation, old_object, subject) in [
            ("UPDATE", object("before"), "a"),
            ("DELETE", object("before"), "before"),
            ("CREATE", "null".to_owned(), "a"),
        ] {
            let body = review(&format!(
                r#"{KIND},"name":"a","namespace":"n","operation":"{operation}","userInfo":{{"username":"x"}},
                "options":{{"uid":1}},"dryRun":true,"object":{},"oldObject":{old_object}"#,
                object("a")
            ));
            let head = |name| Head::new("v1", "ConfigMap", name, "n");
            let outline = outlined(&body).unwrap();
            assert_eq!(outline.subject(), Some(head(subject)));
            let wanted = Outline {
                version: Version::V1,
                uid: "u",
                group: "",
                kind: "ConfigMap",
                namespace: "n",
                dry_run: true,
                operation,
                object: Some(head("a")),
                old_object: (old_object != "null").then(|| head("before")),
            };
            assert_eq!(outline, wanted);
        }
    }

    #[test]
    fn what_cannot_be_outlined_is_read_whole() {
        for (request, fits) in [
            (format!(r#"{KIND},"object":{{}}"#), true),
            // Names that are none.
            (format!(r#"{KIND},"object":{{"metadata":7}}"#), false),
            (format!(r#"{KIND},"object":{{"metadata":{{"name":null}}}}"#), false),
            (format!(r#"{KIND},"object":[]"#), false),
            (format!(r#"{KIND},"namespace":7"#), false),
            (format!(r#"{KIND},"namespace":"\u0061""#), false),
            (format!(r#"{KIND},"dryRun":"true""#), false),
            // A policy asks for it.
            (
                r#""kind":{"group":"apps","kind":"Deployment"},"object":{}"#.to_owned(),
                false,
            ),
            // The kind comes late, or not at all.
            (format!(r#""object":{{}},{KIND}"#), false),
            (r#""object":{}"#.to_owned(), false),
            // Keys that are there twice, wherever they are, and keys with escapes.
            (format!("{KIND},{KIND}"), false),
            (format!(r#"{KIND},"object":{{"data":{{"a":1,"a":2}}}}"#), false),
            (format!(r#"{KIND},"object":{{"metadata":{{}},"metadata":{{}}}}"#), false),
            (format!(r#"{KIND},"object":{{"d\u0061ta":{{}}}}"#), false),
            // No JSON.
            (format!(r#"{KIND},"object":{{"data":{{"a":01}}}}"#), false),
            (format!(r#"{KIND},"object":{{"data":"\x"}}"#), false),
        ] {
            assert_eq!(outlined(&review(&request)).is_some(), fits, "{request}");
        }
        let body = review(KIND);
        assert!(outlined(&body).is_some());
        for (from, to) in [
            ("AdmissionReview", "Other"),
            ("io/v1", "io/v2"),
            (r#""uid":"u""#, r#""uid":"""#),
            (r#""uid":"u""#, r#""x":"u""#),
            (r#"}}}"#, r#"}}} x"#),
        ] {
            assert!(outlined(&body.replace(from, to)).is_none(), "{to}");
        }
    }
}
