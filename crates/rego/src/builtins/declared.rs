//! What OPA declares, implemented here or not: the compiler judges calls by it.

use super::{DECLARED, signature};
use crate::types::Type;
use rustc_hash::FxHashMap;
use std::sync::OnceLock;

/// A built-in as OPA declares it.
pub(crate) struct Declared {
    pub(crate) name: &'static str,
    pub(crate) declared: Type,
    pub(crate) relation: bool,
    pub(crate) deprecated: bool,
}

impl Declared {
    /// How many operands it takes; that of variadic ones counts only the fixed.
    pub(crate) fn arity(&self) -> usize {
        match &self.declared {
            Type::Function(args, ..) => args.len(),
            _ => 0,
        }
    }

    /// It gives no value (`print`).
    pub(crate) fn is_void(&self) -> bool {
        matches!(&self.declared, Type::Function(_, _, None))
    }
}

/// OPA's declaration of a name.
pub(crate) fn declared(name: &str) -> Option<&'static Declared> {
    static ALL: OnceLock<FxHashMap<&'static str, Declared>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let mut all = FxHashMap::default();
        for line in DECLARED.lines() {
            let mut fields = line.split('\t');
            let (Some(name), Some(text)) = (fields.next(), fields.next()) else {
                continue;
            };
            let flags = fields.nth(1).unwrap_or("");
            let Some(declared) = signature::parse(text) else {
                continue;
            };
            let relation = flags.contains('r');
            let deprecated = flags.contains('d');
            all.insert(
                name,
                Declared {
                    name,
                    declared,
                    relation,
                    deprecated,
                },
            );
        }
        all
    });
    all.get(name)
}
