//! The algebra of types that inference needs: unions, keys, values, selection, and whether two can be one.
//!
//! Unlike [`Type`](crate::types::Type) these have holes: `None` stands for "not known yet".

use crate::types::Type;
use crate::value::Value;

/// A type, or part of one, that may be unknown.
pub(super) type Maybe = Option<Ty>;

/// A type. The order of cases and fields is OPA's order of types, which unions are sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ty {
    Null,
    Boolean,
    Number,
    String,
    Array(Array),
    Object(Object),
    Set(Option<Box<Ty>>),
    /// One of several, sorted; empty is anything.
    Any(Vec<Ty>),
    Function(Function),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Array {
    pub(super) rest: Option<Box<Ty>>,
    pub(super) items: Vec<Maybe>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Object {
    pub(super) rest: Option<Box<(Maybe, Maybe)>>,
    /// Sorted by key.
    pub(super) fields: Vec<(Value, Maybe)>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Function {
    pub(super) args: Vec<Maybe>,
    pub(super) result: Option<Box<Ty>>,
    pub(super) variadic: Option<Box<Ty>>,
}

/// Anything at all.
pub(super) const ANY: Ty = Ty::Any(Vec::new());

impl Ty {
    pub(super) fn is_any(&self) -> bool {
        matches!(self, Ty::Any(of) if of.is_empty())
    }

    /// An object of which nothing is known but the type of its keys and values.
    pub(super) fn map(key: Maybe, value: Maybe) -> Ty {
        Ty::Object(Object {
            rest: Some(Box::new((key, value))),
            fields: Vec::new(),
        })
    }
}

/// The type that a declared one stands for.
pub(super) fn declared(of: &Type) -> Ty {
    let boxed = |t: &Option<Box<Type>>| t.as_ref().map(|t| Box::new(declared(t)));
    match of {
        Type::Any => ANY,
        Type::Union(of) => {
            let mut of: Vec<Ty> = of.iter().map(declared).collect();
            of.sort();
            Ty::Any(of)
        }
        Type::Null => Ty::Null,
        Type::Boolean => Ty::Boolean,
        Type::Number => Ty::Number,
        Type::String => Ty::String,
        Type::Array(items, rest) => Ty::Array(Array {
            rest: boxed(rest),
            items: items.iter().map(|t| Some(declared(t))).collect(),
        }),
        Type::Object(fields, rest) => Ty::Object(Object {
            rest: rest
                .as_ref()
                .map(|kv| Box::new((Some(declared(&kv.0)), Some(declared(&kv.1))))),
            fields: fields.iter().map(|(k, t)| (k.clone(), Some(declared(t)))).collect(),
        }),
        Type::Set(of) => Ty::Set(Some(Box::new(declared(of)))),
        Type::Function(args, variadic, result) => Ty::Function(Function {
            args: args.iter().map(|t| Some(declared(t))).collect(),
            result: boxed(result),
            variadic: boxed(variadic),
        }),
        Type::Named(_, of) => declared(of),
    }
}

/// The text of a type in an error; `???` for what is not known.
pub(super) fn text(of: Option<&Ty>) -> String {
    let Some(of) = of else { return "???".to_owned() };
    let list = |of: &[Maybe]| of.iter().map(|t| text(t.as_ref())).collect::<Vec<_>>().join(", ");
    match of {
        Ty::Null => "null".to_owned(),
        Ty::Boolean => "boolean".to_owned(),
        Ty::Number => "number".to_owned(),
        Ty::String => "string".to_owned(),
        Ty::Any(of) if of.is_empty() => "any".to_owned(),
        Ty::Any(of) => format!(
            "any<{}>",
            of.iter().map(|t| text(Some(t))).collect::<Vec<_>>().join(", ")
        ),
        Ty::Array(a) => {
            let known = if a.items.is_empty() {
                String::new()
            } else {
                format!("<{}>", list(&a.items))
            };
            let rest = a
                .rest
                .as_ref()
                .map(|t| format!("[{}]", text(Some(t))))
                .unwrap_or_default();
            format!("array{known}{rest}")
        }
        Ty::Object(o) => {
            let fields: Vec<String> = o
                .fields
                .iter()
                .map(|(k, t)| match k {
                    Value::String(s) => format!("{s}: {}", text(t.as_ref())),
                    other => format!("{}: {}", crate::value_text::text(other), text(t.as_ref())),
                })
                .collect();
            let known = if fields.is_empty() {
                String::new()
            } else {
                format!("<{}>", fields.join(", "))
            };
            let rest = o
                .rest
                .as_ref()
                .map(|kv| format!("[{}: {}]", text(kv.0.as_ref()), text(kv.1.as_ref())));
            format!("object{known}{}", rest.unwrap_or_default())
        }
        Ty::Set(of) => format!("set[{}]", text(of.as_deref())),
        Ty::Function(f) => {
            let result = f
                .result
                .as_ref()
                .map(|r| format!(" => {}", text(Some(r))))
                .unwrap_or_default();
            format!("({}){result}", list(&f.args))
        }
    }
}

/// Whether something in it is not known.
pub(super) fn has_hole(of: Option<&Ty>) -> bool {
    match of {
        None => true,
        Some(Ty::Null | Ty::Boolean | Ty::Number | Ty::String) => false,
        Some(Ty::Array(a)) => {
            a.items.iter().any(|t| has_hole(t.as_ref())) || a.rest.as_ref().is_some_and(|t| has_hole(Some(t)))
        }
        Some(Ty::Object(o)) => {
            o.fields.iter().any(|(_, t)| has_hole(t.as_ref()))
                || o.rest
                    .as_ref()
                    .is_some_and(|kv| has_hole(kv.0.as_ref()) || has_hole(kv.1.as_ref()))
        }
        Some(Ty::Set(of)) => has_hole(of.as_deref()),
        Some(Ty::Any(of)) => of.iter().any(|t| has_hole(Some(t))),
        Some(Ty::Function(f)) => {
            f.args.iter().any(|t| has_hole(t.as_ref())) || f.result.as_ref().is_some_and(|t| has_hole(Some(t)))
        }
    }
}

/// Either.
pub(super) fn or(a: Maybe, b: Maybe) -> Maybe {
    let (a, b) = match (a, b) {
        (Some(a), Some(b)) => (a, b),
        (one, None) | (None, one) => return one,
    };
    Some(match (a, b) {
        (Ty::Function(a), Ty::Function(b)) => {
            // A function of no arguments, as no rule is: with anything else it gives nothing again.
            if a.args.len() != b.args.len() {
                return Some(Ty::Function(Function {
                    args: Vec::new(),
                    result: None,
                    variadic: None,
                }));
            }
            Ty::Function(Function {
                args: a.args.into_iter().zip(b.args).map(|(x, y)| or(x, y)).collect(),
                result: or(a.result.map(|t| *t), b.result.map(|t| *t)).map(Box::new),
                variadic: a.variadic,
            })
        }
        (Ty::Function(_), _) | (_, Ty::Function(_)) => return None,
        (a, b) if a.is_any() || b.is_any() => ANY,
        (a, b) if a == b => a,
        (a, b) => {
            let mut all = Vec::new();
            for t in [a, b] {
                match t {
                    Ty::Any(of) => all.extend(of),
                    other => all.push(other),
                }
            }
            all.sort();
            all.dedup();
            Ty::Any(all)
        }
    })
}

/// What a reference's next step may be.
pub(super) fn keys(of: &Ty) -> Maybe {
    match of {
        Ty::Array(_) => Some(Ty::Number),
        Ty::Object(o) => {
            let mut all = None;
            for (k, _) in &o.fields {
                all = or(all, Some(of_value(k)));
            }
            match &o.rest {
                Some(kv) => or(all, kv.0.clone()),
                None => all,
            }
        }
        Ty::Set(of) => of.as_deref().cloned(),
        Ty::Any(of) if of.is_empty() => Some(ANY),
        Ty::Any(of) => of.iter().fold(None, |all, t| or(keys(t), all)),
        _ => None,
    }
}

/// What iterating gives.
pub(super) fn values(of: &Ty) -> Maybe {
    match of {
        Ty::Array(a) => {
            let all = a.items.iter().fold(None, |all, t| or(all, t.clone()));
            or(all, a.rest.as_deref().cloned())
        }
        Ty::Object(o) => {
            let all = o.fields.iter().fold(None, |all, (_, t)| or(all, t.clone()));
            or(all, o.rest.as_ref().and_then(|kv| kv.1.clone()))
        }
        Ty::Set(of) => of.as_deref().cloned(),
        Ty::Any(of) if of.is_empty() => Some(ANY),
        Ty::Any(of) => of.iter().fold(None, |all, t| or(values(t), all)),
        _ => None,
    }
}

/// What a constant step gives.
pub(super) fn select(of: &Ty, key: &Value) -> Maybe {
    match of {
        Ty::Array(a) => {
            let at = usize::try_from(key.as_i64()?).ok()?;
            a.items.get(at).cloned().unwrap_or_else(|| a.rest.as_deref().cloned())
        }
        Ty::Object(o) => select_field(o, key),
        Ty::Set(of) => {
            let wanted = of_value(key);
            match of.as_deref()? {
                Ty::Any(all) if all.is_empty() || all.contains(&wanted) => Some(wanted),
                one if *one == wanted => Some(one.clone()),
                _ => None,
            }
        }
        Ty::Any(of) if of.is_empty() => Some(ANY),
        Ty::Any(of) => of.iter().fold(None, |all, t| or(select(t, key), all)),
        _ => None,
    }
}

fn select_field(o: &Object, key: &Value) -> Maybe {
    if let Some((_, t)) = o.fields.iter().find(|(k, _)| k == key) {
        return t.clone();
    }
    let (of_key, of_value_) = o.rest.as_deref()?;
    let wanted = of_value(key);
    let fits = match of_key.as_ref()? {
        Ty::Any(all) => all.is_empty() || all.contains(&wanted),
        one => *one == wanted,
    };
    if fits { of_value_.clone() } else { None }
}

/// The type of a constant.
pub(super) fn of_value(value: &Value) -> Ty {
    match value {
        Value::Null => Ty::Null,
        Value::Bool(_) => Ty::Boolean,
        Value::Number(_) => Ty::Number,
        Value::String(_) => Ty::String,
        Value::Array(a) => Ty::Array(Array {
            rest: None,
            items: a.iter().map(|v| Some(of_value(v))).collect(),
        }),
        Value::Object(o) => Ty::Object(Object {
            rest: None,
            fields: o.iter().map(|(k, v)| (k.clone(), Some(of_value(v)))).collect(),
        }),
        Value::Set(s) => Ty::Set(s.iter().fold(None, |all, v| or(all, Some(of_value(v)))).map(Box::new)),
    }
}

/// Whether a value of one can be a value of the other.
pub(super) fn unifies(a: Option<&Ty>, b: Option<&Ty>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    match (a, b) {
        (Ty::Any(of), other) | (other, Ty::Any(of)) => {
            if one_of_unifies(of, other) {
                return true;
            }
            // Both may be unions: the other way round as well.
            matches!((a, b), (Ty::Any(_), Ty::Any(of)) if one_of_unifies(of, a))
        }
        (Ty::Array(a), Ty::Array(b)) => arrays_fit(a, b) && rest_fits(a.rest.as_deref(), b.rest.as_deref()),
        (Ty::Object(a), Ty::Object(b)) => {
            objects_fit(a, b)
                && match (&a.rest, &b.rest) {
                    (Some(x), Some(y)) => unifies(x.1.as_ref(), y.1.as_ref()),
                    _ => true,
                }
        }
        (Ty::Set(a), Ty::Set(b)) => unifies(a.as_deref(), b.as_deref()),
        (Ty::Function(a), Ty::Function(b)) => {
            a.args.len() == b.args.len() && a.args.iter().zip(&b.args).all(|(x, y)| unifies(x.as_ref(), y.as_ref()))
        }
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

fn one_of_unifies(of: &[Ty], other: &Ty) -> bool {
    !matches!(other, Ty::Function(_)) && (of.is_empty() || of.iter().any(|t| unifies(Some(t), Some(other))))
}

fn rest_fits(a: Option<&Ty>, b: Option<&Ty>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => unifies(Some(a), Some(b)),
        _ => true,
    }
}

/// Item by item, each pair once: going both ways would double the work with every level of nesting.
fn arrays_fit(a: &Array, b: &Array) -> bool {
    fn item(of: &Array, i: usize) -> Option<&Ty> {
        of.items.get(i).map_or(of.rest.as_deref(), Option::as_ref)
    }
    (0..a.items.len().max(b.items.len())).all(|i| unifies(item(a, i), item(b, i)))
}

/// Field by field, each pair once.
fn objects_fit(a: &Object, b: &Object) -> bool {
    let open = a.rest.is_some() || b.rest.is_some();
    let fits = |of: &Maybe, other: &Object, key: &Value| match select_field(other, key) {
        Some(other) => unifies(of.as_ref(), Some(&other)),
        None => open,
    };
    let known = |key: &Value| a.fields.iter().any(|(k, _)| k == key);
    a.fields.iter().all(|(k, of)| fits(of, b, k))
        && b.fields.iter().filter(|(k, _)| !known(k)).all(|(k, of)| fits(of, a, k))
}

/// The types of two definitions of one rule.
pub(super) fn merge(a: Maybe, b: Maybe) -> Maybe {
    match (a, b) {
        (Some(Ty::Set(a)), Some(Ty::Set(b))) => Some(Ty::Set(or(a.map(|t| *t), b.map(|t| *t)).map(Box::new))),
        (Some(Ty::Object(a)), Some(Ty::Object(b))) if a.fields.is_empty() && b.fields.is_empty() => {
            match (a.rest, b.rest) {
                (Some(x), Some(y)) => Some(Ty::map(or(x.0, y.0), merge(x.1, y.1))),
                (rest, None) | (None, rest) => Some(Ty::Object(Object {
                    rest,
                    fields: Vec::new(),
                })),
            }
        }
        // A partial object takes in the open object among the alternatives of another definition.
        (Some(Ty::Any(all)), Some(Ty::Object(o))) | (Some(Ty::Object(o)), Some(Ty::Any(all)))
            if o.fields.is_empty() && all.iter().any(is_open) =>
        {
            Some(Ty::Any(taken_in(all, o)))
        }
        (a, b) => or(a, b),
    }
}

fn is_open(of: &Ty) -> bool {
    matches!(of, Ty::Object(o) if o.fields.is_empty())
}

fn taken_in(mut all: Vec<Ty>, o: Object) -> Vec<Ty> {
    if let Some(Ty::Object(open)) = all.iter_mut().find(|t| is_open(t))
        && let Some(more) = o.rest
    {
        open.rest = Some(match open.rest.take() {
            Some(rest) => Box::new((or(rest.0, more.0), or(rest.1, more.1))),
            None => more,
        });
    }
    all
}

/// Parts of a type that is kept; types share nothing, so rules that double each other's would double them.
const PARTS: usize = 4096;

/// The type, or anything when it is too large to keep.
pub(super) fn bounded(of: Ty) -> Ty {
    if within(&of, &mut PARTS.clone()) { of } else { ANY }
}

fn within(of: &Ty, left: &mut usize) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    let mut part = |t: Option<&Ty>| t.is_none_or(|t| within(t, left));
    match of {
        Ty::Array(a) => a.items.iter().all(|t| part(t.as_ref())) && part(a.rest.as_deref()),
        Ty::Object(o) => {
            o.fields.iter().all(|(_, t)| part(t.as_ref()))
                && o.rest.as_ref().is_none_or(|r| part(r.0.as_ref()) && part(r.1.as_ref()))
        }
        Ty::Set(of) => part(of.as_deref()),
        Ty::Any(of) => of.iter().all(|t| part(Some(t))),
        _ => true,
    }
}
