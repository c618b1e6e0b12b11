//! Words for messages.

use crate::ast::{Term, TermValue};
pub(super) use crate::print::{import, reference, term};

/// OPA's name for the kind of a term.
pub(super) fn kind(t: &Term) -> &'static str {
    match &t.value {
        TermValue::Null => "null",
        TermValue::Bool(_) => "boolean",
        TermValue::Number(_) => "number",
        TermValue::String(_) => "string",
        TermValue::Var(_) => "var",
        TermValue::Ref(_) => "ref",
        TermValue::Array(_) => "array",
        TermValue::Object(_) => "object",
        TermValue::Set(_) => "set",
        TermValue::Call(_) => "call",
        TermValue::Template(_) => "templatestring",
        TermValue::ArrayCompr(..) => "arraycomprehension",
        TermValue::SetCompr(..) => "setcomprehension",
        TermValue::ObjectCompr(..) => "objectcomprehension",
    }
}
