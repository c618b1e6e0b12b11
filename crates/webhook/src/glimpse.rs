//! What can be told of a review that cannot be read whole: its uid and version, from its first bytes.
//!
//! The API server writes `kind`, `apiVersion` and `request.uid` first. They are found by walking the text, not by
//! searching it: what a tenant writes into an object cannot pass for the uid of the request.

use crate::request::Version;
use regent_rego::json;

/// Bytes that are looked at.
pub(crate) const LENGTH: usize = 4 << 10;
const LONGEST_UID: usize = 256;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Glimpse {
    pub(crate) uid: Option<String>,
    pub(crate) version: Version,
}

/// Looks at the beginning of a review. Where it ends or is no JSON the walk ends; what was found until then counts.
pub(crate) fn glimpse(text: &[u8]) -> Glimpse {
    let text = text.get(..LENGTH).unwrap_or(text);
    let text = match std::str::from_utf8(text) {
        Ok(text) => text.as_bytes(),
        Err(e) => text.get(..e.valid_up_to()).unwrap_or_default(),
    };
    let mut found = Glimpse::default();
    let options = json::ReadOptions {
        depth: usize::MAX,
        ..json::ReadOptions::default()
    };
    if let Some(mut walk) = json::Walk::new(text, options) {
        let _ = review(&mut walk, &mut found);
    }
    found
}

fn review(walk: &mut json::Walk<'_>, found: &mut Glimpse) -> Option<()> {
    walk.members(|walk, key| match key {
        "apiVersion" if walk.is_text() => {
            let version = walk.value()?;
            found.version = version.as_str().and_then(Version::parse).unwrap_or_default();
            Some(())
        }
        "request" if walk.is_object() => walk.members(|walk, key| match key {
            "uid" if walk.is_text() => {
                let uid = walk.value()?;
                let uid = uid.as_str().filter(|u| !u.is_empty() && u.len() <= LONGEST_UID);
                found.uid = uid.map(str::to_owned);
                Some(())
            }
            _ => walk.pass(),
        }),
        _ => walk.pass(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_uid_of_the_request_and_no_other() {
        let head = r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","#;
        let rows: [(&str, Option<&str>); 14] = [
            (r#"{"request":{"uid":"a","object":[[["#, Some("a")),
            (
                r#"{"request":{"object":{"uid":"b","request":{"uid":"c"}},"uid":"a""#,
                Some("a"),
            ),
            (r#"{"request":{"object":{"uid":"b"}}}"#, None),
            (r#"{"uid":"b","request":{"kind":{"kind":"Pod"},"uid":"a"}}"#, Some("a")),
            (r#"{"request":{"note":"\"uid\":\"b\"","uid":"a"#, None),
            (r#"{"request":{"note":"\\","uid":"\u0061"}"#, Some("a")),
            (r#"{"request":{"n":[1,-2.5e3,true,null,"x",{}],"uid":"a"}"#, Some("a")),
            (r#"{"request":{"uid":""}"#, None),
            (r#"{"request":{"uid":7}"#, None),
            (r#"[{"request":{"uid":"a"}}]"#, None),
            ("", None),
            ("{", None),
            (r#"{"request":}"#, None),
            (r#"{"request":{"uid":"\ud800","#, Some("\u{fffd}")),
        ];
        for (text, uid) in rows {
            assert_eq!(glimpse(text.as_bytes()).uid.as_deref(), uid, "{text}");
            let whole = text.replacen('{', head, 1);
            if text.starts_with('{') && text.len() > 1 {
                assert_eq!(glimpse(whole.as_bytes()).uid.as_deref(), uid, "{whole}");
            }
        }
        let beta = r#"{"apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"a"}}"#;
        assert_eq!(glimpse(beta.as_bytes()).version, Version::V1Beta1);
        let far = format!(r#"{{"request":{{"note":"{}","uid":"a"}}}}"#, "x".repeat(LENGTH));
        assert_eq!(glimpse(far.as_bytes()).uid, None, "beyond what is looked at");
        // What is nested deep is stepped over, and made into no value.
        let (open, close) = ("[".repeat(1_900), "]".repeat(1_900));
        for key in ["apiVersion", "note"] {
            let deep = format!(r#"{{"{key}":{open}{close},"request":{{"uid":"a"}}}}"#);
            assert_eq!(glimpse(deep.as_bytes()).uid.as_deref(), Some("a"), "{key}");
        }
    }
}
