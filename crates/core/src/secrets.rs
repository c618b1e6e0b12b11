//! Values of Secrets are never shown: neither as they stand, nor decoded, nor as a part of another text.

use crate::object::Gvk;
use crate::review::Review;
use base64::Engine as _;
use regent_rego::{Object, Value};
use rustc_hash::FxHashSet;

/// What stands for a text that is not shown.
const HIDDEN: &str = "(hidden)";

/// Knows what must not be shown of one review.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    /// Texts that must not be shown.
    hidden: FxHashSet<String>,
    /// When the object is a Secret, texts of it that may be shown; no other text may.
    shown: Option<FxHashSet<String>>,
}

impl Secrets {
    /// Of a review, its parameters, and the objects that policies can see.
    pub(crate) fn of(review: &Review, parameters: &Value, inventory: &Value) -> Secrets {
        let mut secrets = Secrets::default();
        let mut any = false;
        for object in [&review.object, &review.old_object].into_iter().flatten() {
            any |= is_secret(object);
            secrets.gather(object);
        }
        secrets.gather(inventory);
        if any {
            let mut shown = FxHashSet::default();
            texts(parameters, &mut |t| {
                shown.insert(t.to_owned());
            });
            texts(&review.document, &mut |t| {
                shown.insert(t.to_owned());
            });
            // Annotations repeat whole objects (`kubectl apply`).
            shown.retain(|text| {
                !secrets
                    .hidden
                    .iter()
                    .any(|h| !h.is_empty() && text.contains(h.as_str()))
            });
            secrets.shown = Some(shown);
        }
        secrets
    }

    /// Takes in the data of every Secret in a value.
    fn gather(&mut self, value: &Value) {
        match value {
            Value::Object(object) => {
                if is_secret(value) {
                    for (field, encoded) in [("data", true), ("stringData", false)] {
                        let data = object.get_str(field).and_then(Value::as_object);
                        for (_, text) in data.into_iter().flat_map(Object::iter) {
                            self.hide_text(text, encoded);
                        }
                    }
                    return;
                }
                object.iter().for_each(|(_, v)| self.gather(v));
            }
            Value::Array(items) => items.iter().for_each(|v| self.gather(v)),
            _ => {}
        }
    }

    fn hide_text(&mut self, value: &Value, encoded: bool) {
        let Some(text) = value.as_str() else { return };
        self.hidden.insert(text.to_owned());
        if let Some(decoded) = encoded.then(|| decoded(text)).flatten() {
            self.hidden.insert(decoded);
        }
    }

    /// The value without what must not be shown.
    pub(crate) fn cover(&self, value: &Value) -> Value {
        match value {
            Value::String(s) => match self.covers(s) {
                true => Value::string(HIDDEN),
                false => value.clone(),
            },
            Value::Number(n) if self.hidden.contains(&n.to_string()) => Value::string(HIDDEN),
            Value::Array(items) => Value::array(items.iter().map(|v| self.cover(v)).collect()),
            Value::Set(items) => Value::set(items.iter().map(|v| self.cover(v)).collect()),
            Value::Object(object) => {
                Value::object(object.iter().map(|(k, v)| (self.cover(k), self.cover(v))).collect())
            }
            other => other.clone(),
        }
    }

    fn covers(&self, text: &str) -> bool {
        if let Some(shown) = &self.shown {
            return !shown.contains(text);
        }
        // A short secret would be in every text.
        let within = |h: &String| {
            if h.len() < 4 {
                h == text
            } else {
                text.contains(h.as_str())
            }
        };
        !text.is_empty() && self.hidden.iter().any(within)
    }
}

fn is_secret(value: &Value) -> bool {
    let gvk = Gvk::of(value);
    gvk.kind == "Secret" && gvk.group.is_empty()
}

fn decoded(text: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    String::from_utf8(bytes).ok()
}

/// Every text of a value, keys as well.
fn texts(value: &Value, found: &mut dyn FnMut(&str)) {
    match value {
        Value::String(s) => found(s),
        Value::Array(items) => items.iter().for_each(|v| texts(v, found)),
        Value::Set(items) => items.iter().for_each(|v| texts(v, found)),
        Value::Object(object) => object.iter().for_each(|(k, v)| {
            texts(k, found);
            texts(v, found);
        }),
        _ => {}
    }
}
