//! OPA's types, for the checker and for the signatures of built-ins.

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
}
