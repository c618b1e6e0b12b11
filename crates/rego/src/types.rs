//! OPA's types, for the checker and for the signatures of built-ins.

use std::fmt;

/// A type, as `opa check` reasons about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Anything.
    Any,
    /// Any of several; empty is OPA's "any".
    Union(Vec<Type>),
    /// `null`.
    Null,
    /// `boolean`.
    Boolean,
    /// `number`.
    Number,
    /// `string`.
    String,
    /// Known items by place, and the type of further ones.
    Array(Vec<Type>, Option<Box<Type>>),
    /// Known properties (key as value), and key and value type of further ones.
    Object(Vec<(crate::Value, Type)>, Option<Box<(Type, Type)>>),
    /// Set of.
    Set(Box<Type>),
    /// Function: arguments, variadic rest, result (`None`: no result).
    Function(Vec<Type>, Option<Box<Type>>, Option<Box<Type>>),
    /// A named argument or result of a built-in; only the text of errors shows the name.
    Named(&'static str, Box<Type>),
}

impl Type {
    /// The type without its name.
    pub fn unnamed(&self) -> &Type {
        match self {
            Type::Named(_, t) => t.unnamed(),
            other => other,
        }
    }
}

impl fmt::Display for Type {
    /// As OPA's type errors write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Any => f.write_str("any"),
            Type::Union(of) if of.is_empty() => f.write_str("any"),
            Type::Union(of) => {
                f.write_str("any<")?;
                list(f, of)?;
                f.write_str(">")
            }
            Type::Null => f.write_str("null"),
            Type::Boolean => f.write_str("boolean"),
            Type::Number => f.write_str("number"),
            Type::String => f.write_str("string"),
            Type::Array(known, rest) => {
                f.write_str("array")?;
                if !known.is_empty() {
                    f.write_str("<")?;
                    list(f, known)?;
                    f.write_str(">")?;
                }
                match rest {
                    Some(t) => write!(f, "[{t}]"),
                    None => Ok(()),
                }
            }
            Type::Object(known, rest) => {
                f.write_str("object")?;
                if !known.is_empty() {
                    f.write_str("<")?;
                    for (i, (k, t)) in known.iter().enumerate() {
                        if i > 0 {
                            f.write_str(", ")?;
                        }
                        // Keys that are strings stand without quotes.
                        match k {
                            crate::Value::String(s) => write!(f, "{s}: {t}")?,
                            other => write!(f, "{}: {t}", crate::value_text::text(other))?,
                        }
                    }
                    f.write_str(">")?;
                }
                match rest {
                    Some(kv) => write!(f, "[{}: {}]", kv.0, kv.1),
                    None => Ok(()),
                }
            }
            Type::Set(of) => write!(f, "set[{of}]"),
            Type::Function(args, variadic, result) => {
                f.write_str("(")?;
                list(f, args)?;
                if let Some(v) = variadic {
                    if !args.is_empty() {
                        f.write_str(", ")?;
                    }
                    write!(f, "{v}...")?;
                }
                f.write_str(")")?;
                match result {
                    Some(r) => write!(f, " => {r}"),
                    None => Ok(()),
                }
            }
            Type::Named(name, t) => write!(f, "{name}: {t}"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, types: &[Type]) -> fmt::Result {
    for (i, t) in types.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{t}")?;
    }
    Ok(())
}
