//! What can be told of a review that cannot be read whole: its uid and version, from its first bytes.
//!
//! The API server writes `kind`, `apiVersion` and `request.uid` first. They are found by walking the text, not by
//! searching it: what a tenant writes into an object cannot pass for the uid of the request.

use crate::request::Version;
use regent_rego::{Value, json};

/// Bytes that are looked at.
pub(crate) const LENGTH: usize = 4 << 10;
const LONGEST_UID: usize = 256;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Glimpse {
    pub(crate) uid: Option<String>,
    pub(crate) version: Version,
}

/// Looks at the beginning of a review.
pub(crate) fn glimpse(text: &[u8]) -> Glimpse {
    let text = text.get(..LENGTH).unwrap_or(text);
    let mut walk = Walk { text, at: 0 };
    let mut found = Glimpse::default();
    let _ = walk.review(&mut found);
    found
}

/// Steps give `None` where the text ends or is no JSON; what was found until then counts.
struct Walk<'a> {
    text: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    fn eat(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then(|| self.at += 1)
    }

    fn string(&mut self) -> Option<String> {
        let start = self.at;
        self.skip_string()?;
        match json::read(self.text.get(start..self.at)?, json::ReadOptions::default()) {
            Ok(Value::String(text)) => Some(text.to_string()),
            _ => None,
        }
    }

    fn skip_string(&mut self) -> Option<()> {
        self.eat(b'"')?;
        loop {
            match *self.text.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    /// Passes a value; only counts brackets.
    fn skip(&mut self) -> Option<()> {
        let mut open = 0u32;
        loop {
            match self.next()? {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    open = open.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' if open > 0 => {
                    self.at += 1;
                    continue;
                }
                b',' | b':' => return None,
                _ => {
                    while !matches!(
                        *self.text.get(self.at)?,
                        b',' | b':' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'
                    ) {
                        self.at += 1;
                    }
                }
            }
            if open == 0 {
                return Some(());
            }
        }
    }

    /// Calls `member` for each key, at its value.
    fn members(&mut self, mut member: impl FnMut(&mut Self, &str) -> Option<()>) -> Option<()> {
        self.eat(b'{')?;
        if self.next()? == b'}' {
            return self.eat(b'}');
        }
        loop {
            self.next()?;
            let key = self.string()?;
            self.eat(b':')?;
            self.next()?;
            member(self, &key)?;
            match self.next()? {
                b',' => self.at += 1,
                b'}' => return self.eat(b'}'),
                _ => return None,
            }
        }
    }

    fn review(&mut self, found: &mut Glimpse) -> Option<()> {
        self.members(|walk, key| match (key, walk.next()?) {
            ("apiVersion", b'"') => {
                let text = walk.string()?;
                found.version = Version::parse(&text).unwrap_or_default();
                Some(())
            }
            ("request", b'{') => walk.members(|walk, key| match (key, walk.next()?) {
                ("uid", b'"') => {
                    found.uid = walk.string().filter(|u| !u.is_empty() && u.len() <= LONGEST_UID);
                    Some(())
                }
                _ => walk.skip(),
            }),
            _ => walk.skip(),
        })
    }
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
    }
}
