//! Reads the signatures of `declared.tsv`, which are written as OPA's type errors write types:
//! `(x: number, y: any<null, array[string]>) z: set[any]`; a missing result means the call is a statement only.

use crate::types::Type;
use crate::value::Value;

/// The signature as a [`Type::Function`]; `None` when the text is none.
pub(super) fn parse(text: &'static str) -> Option<Type> {
    let mut r = Reader { rest: text };
    r.eat("(")?;
    let mut args = Vec::new();
    let mut variadic = None;
    while r.eat(")").is_none() {
        let t = r.named()?;
        if r.eat("...").is_some() {
            variadic = Some(Box::new(t));
        } else {
            args.push(t);
        }
        let _ = r.eat(", ");
    }
    let result = match r.eat(" ") {
        Some(()) => Some(Box::new(r.named()?)),
        None => None,
    };
    r.rest.is_empty().then_some(Type::Function(args, variadic, result))
}

struct Reader {
    rest: &'static str,
}

impl Reader {
    fn eat(&mut self, what: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(what)?;
        Some(())
    }

    /// A type with or without `name: ` before it. Names may hold spaces ("formatted timestamp").
    fn named(&mut self) -> Option<Type> {
        let (name, rest) = self.rest.split_once(": ").unwrap_or(("", self.rest));
        if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ' ') {
            self.rest = rest;
            return Some(Type::Named(name, Box::new(self.plain()?)));
        }
        self.plain()
    }

    fn word(&mut self) -> Option<&'static str> {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        Some(word)
    }

    fn plain(&mut self) -> Option<Type> {
        Some(match self.word()? {
            "any" if self.rest.starts_with('<') => Type::Union(self.list()?),
            "any" => Type::Any,
            "null" => Type::Null,
            "boolean" => Type::Boolean,
            "number" => Type::Number,
            "string" => Type::String,
            "array" => {
                let known = if self.rest.starts_with('<') {
                    self.list()?
                } else {
                    Vec::new()
                };
                Type::Array(known, self.bracketed()?.map(Box::new))
            }
            "set" => Type::Set(Box::new(self.bracketed()??)),
            "object" => {
                let mut known = Vec::new();
                if self.eat("<").is_some() {
                    while self.eat(">").is_none() {
                        let key = Value::string(self.word()?);
                        self.eat(": ")?;
                        known.push((key, self.plain()?));
                        let _ = self.eat(", ");
                    }
                }
                let mut rest = None;
                if self.eat("[").is_some() {
                    let key = self.plain()?;
                    self.eat(": ")?;
                    rest = Some(Box::new((key, self.plain()?)));
                    self.eat("]")?;
                }
                Type::Object(known, rest)
            }
            _ => return None,
        })
    }

    fn list(&mut self) -> Option<Vec<Type>> {
        self.eat("<")?;
        let mut out = Vec::new();
        while self.eat(">").is_none() {
            out.push(self.plain()?);
            let _ = self.eat(", ");
        }
        Some(out)
    }

    /// `[type]`, or nothing.
    fn bracketed(&mut self) -> Option<Option<Type>> {
        if self.eat("[").is_none() {
            return Some(None);
        }
        let t = self.plain()?;
        self.eat("]")?;
        Some(Some(t))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_declared_signature_reads_and_prints_the_same() {
        for line in super::super::DECLARED.lines() {
            let text = line.split('\t').nth(1).unwrap();
            let t = super::parse(text).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(t.to_string().replacen(" => ", " ", 1), text, "{line}");
        }
    }
}
