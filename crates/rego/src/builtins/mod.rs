//! OPA's built-in functions: one list of what OPA declares, one table of what is implemented per family.
//!
//! A family is a file with `pub(crate) const TABLE: Table = &[("plus", plus), ..]` and a line in `FAMILIES`.
//! Signatures and flags are not repeated there: `declared.tsv` holds them for all of OPA's built-ins.
//! Operands are checked with the functions of `operand`, whose texts are OPA's.

mod aggregates;
mod arithmetic;
mod bits;
mod casts;
mod collections;
mod comparison;
mod crypto;
pub(crate) mod declared;
mod encoding;
mod glob;
mod graph;
mod graphql;
mod json_patch;
mod json_paths;
mod json_schema;
mod jwt;
pub(crate) mod lists;
mod matcher;
mod net;
mod notes;
mod numbers;
pub(crate) mod operand;
pub(crate) mod pieces;
mod quick;
#[cfg(test)]
mod quiet;
mod re2;
mod regex;
mod replace;
mod search;
mod semver;
mod signature;
mod strings;
mod template;
mod time;
mod units;
mod uri;
mod uuid;
mod walk;
mod x509;

pub(crate) use matcher::Matcher;
pub(crate) use quick::{Quick, Short, quick};

use crate::error::Error;
use crate::types::Type;
use crate::value::Value;
use hashbrown::HashTable;
use rustc_hash::{FxHashMap, FxHasher};
use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// Which built-ins a program may call. Default: all that are implemented.
#[derive(Clone, Debug, Default)]
pub struct Capabilities {
    /// Names taken away (`http.send` and the like are never there).
    pub without: Vec<String>,
}

/// What went wrong in a built-in.
#[derive(Clone, Debug)]
pub enum Failure {
    /// An operand of the wrong type: `eval_type_error`; undefined unless strict. Without the function's name, which
    /// OPA puts before it (`plus: operand 1 must be number but got string`).
    Type(String),
    /// Anything else of the function's own: `eval_builtin_error`; undefined unless strict. Without the function's name.
    Builtin(String),
    /// Ends the evaluation whatever the mode: a limit, a cancel.
    Halt(Error),
}

/// What a built-in may ask of the evaluation that calls it.
pub trait Host {
    /// Accounts for bytes about to be made and looks at the clock now and then; call it before building anything
    /// whose size input can drive, and with small amounts inside long loops.
    ///
    /// # Errors
    /// `Failure::Halt` once a limit is hit.
    fn charge(&mut self, bytes: usize) -> Result<(), Failure>;
    /// Looks at the clock now and then in work that makes nothing: so many bytes copied, cells compared or the like.
    ///
    /// # Errors
    /// `Failure::Halt` when the time is up.
    fn work(&mut self, units: usize) -> Result<(), Failure>;
    /// `time.now_ns`, fixed within one evaluation.
    fn time_ns(&self) -> i64;
    /// Pseudo-random number, seeded by the caller; within one evaluation the same key gives the same number.
    fn random(&mut self, key: &str) -> u64;
    /// A note of `trace`.
    fn note(&mut self, text: &str);
    /// A line of `print`; the evaluation knows the place.
    fn print(&mut self, text: &str);
    /// A compiled pattern is kept for the program's life (regex, glob), keyed by its text.
    fn cache(&self) -> &Cache;
}

/// The pseudo-random number of a key under a seed; see [`Host::random`].
pub fn random(seed: u64, key: &str) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    seed.hash(&mut hasher);
    key.hash(&mut hasher);
    let mut x = hasher.finish() ^ 0x9e37_79b9_7f4a_7c15;
    for _ in 0..3 {
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
    }
    x.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

/// Compiled patterns and the like, shared by all evaluations of a program, bounded.
#[derive(Default)]
pub struct Cache(RwLock<Entries>);

#[derive(Default)]
struct Entries {
    table: HashTable<(&'static str, Box<str>, Kept)>,
    /// Bytes of all.
    weight: usize,
}

type Kept = Arc<dyn Any + Send + Sync>;

/// Entries kept at most; beyond it the cache starts anew (as cheap as any choice, and never wrong).
const CACHE_ENTRIES: usize = 512;
/// Bytes kept at most, likewise.
const CACHE_WEIGHT: usize = 256 << 20;
/// Longer keys are not kept: input could fill memory with them.
const CACHE_KEY: usize = 4096;

impl Cache {
    fn hash(kind: &str, key: &str) -> u64 {
        let mut hasher = FxHasher::default();
        kind.hash(&mut hasher);
        key.hash(&mut hasher);
        hasher.finish()
    }

    /// What was kept for a key of a kind ("regex", "glob").
    pub fn get<T: Any + Send + Sync>(&self, kind: &'static str, key: &str) -> Option<Arc<T>> {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = entries
            .table
            .find(Cache::hash(kind, key), |e| *e.1 == *key && e.0 == kind)?
            .2
            .clone();
        drop(entries);
        found.downcast::<T>().ok()
    }

    /// Keeps what takes so many bytes. Two may have made the same, which is only work done twice.
    pub fn keep<T: Any + Send + Sync>(&self, kind: &'static str, key: &str, value: T, weight: usize) -> Arc<T> {
        let value = Arc::new(value);
        if key.len() > CACHE_KEY || weight > CACHE_WEIGHT {
            return value;
        }
        let own = Cache::hash(kind, key);
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if entries.table.len() >= CACHE_ENTRIES || entries.weight + weight > CACHE_WEIGHT {
            *entries = Entries::default();
        }
        if entries.table.find(own, |e| *e.1 == *key && e.0 == kind).is_none() {
            let entry: (_, Box<str>, Kept) = (kind, key.into(), value.clone());
            entries.table.insert_unique(own, entry, |e| Cache::hash(e.0, &e.1));
            entries.weight += weight;
        }
        value
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cache")
    }
}

/// What a built-in answers; `None` is undefined.
pub type Answer = Result<Option<Value>, Failure>;

/// The implementation: operands in (as many as declared), value out.
pub type Function = fn(&mut dyn Host, &[&Value]) -> Answer;

/// What a family implements.
pub(crate) type Table = &'static [(&'static str, Function)];

/// One built-in.
#[derive(Clone)]
pub struct Builtin {
    /// OPA's name.
    pub name: &'static str,
    /// Its signature, as OPA's type errors write types.
    pub signature: &'static str,
    /// The signature as a [`Type::Function`].
    pub declared: Type,
    /// Same operands, same answer.
    pub deterministic: bool,
    /// Yields several answers (`walk`): the function returns an array of them.
    pub relation: bool,
    /// OPA marks it deprecated (refused in strict mode and in v1).
    pub deprecated: bool,
    /// The infix operator it stands for, if any (`==`).
    pub infix: Option<&'static str>,
    /// The implementation.
    pub function: Function,
}

impl Builtin {
    /// How many operands it takes; `None`: any number.
    pub fn arity(&self) -> Option<usize> {
        match &self.declared {
            Type::Function(args, None, _) => Some(args.len()),
            _ => None,
        }
    }
}

/// All of OPA 1.17.1's built-ins: name, signature, infix, flags (n nondeterministic, r relation, d deprecated).
const DECLARED: &str = include_str!("declared.tsv");

/// Every family registers here.
#[rustfmt::skip]
const FAMILIES: &[Table] = &[
    aggregates::TABLE,
    arithmetic::TABLE,
    bits::TABLE,
    casts::TABLE,
    collections::TABLE,
    comparison::TABLE,
    crypto::TABLE,
    encoding::TABLE,
    glob::TABLE,
    graph::TABLE,
    graphql::TABLE,
    json_patch::TABLE,
    json_paths::TABLE,
    json_schema::TABLE,
    jwt::TABLE,
    net::TABLE,
    notes::TABLE,
    numbers::TABLE,
    regex::TABLE,
    replace::TABLE,
    semver::TABLE,
    strings::TABLE,
    template::TABLE,
    time::TABLE,
    units::TABLE,
    uri::TABLE,
    uuid::TABLE,
    walk::TABLE,
    x509::TABLE,
];

/// Every built-in that exists here, by name.
pub fn find(name: &str) -> Option<&'static Builtin> {
    all().get(name)
}

/// All that exist here, in no order.
pub fn all() -> &'static FxHashMap<&'static str, Builtin> {
    static ALL: OnceLock<FxHashMap<&'static str, Builtin>> = OnceLock::new();
    ALL.get_or_init(|| {
        let functions: FxHashMap<&str, Function> = FAMILIES.iter().flat_map(|t| t.iter().copied()).collect();
        let mut all = FxHashMap::default();
        for line in DECLARED.lines() {
            let mut fields = line.split('\t');
            let (Some(name), Some(text)) = (fields.next(), fields.next()) else {
                continue;
            };
            let infix = fields.next().filter(|s| !s.is_empty());
            let flags = fields.next().unwrap_or("");
            let (Some(function), Some(declared)) = (functions.get(name), signature::parse(text)) else {
                continue;
            };
            let builtin = Builtin {
                name,
                signature: text,
                declared,
                deterministic: !flags.contains('n'),
                relation: flags.contains('r'),
                deprecated: flags.contains('d'),
                infix,
                function: *function,
            };
            all.insert(name, builtin);
        }
        all
    })
}

/// Names of OPA 1.17.1's built-ins that are refused at load, with the reason.
pub const REFUSED: &[(&str, &str)] = &[
    ("http.send", "policies do not reach the network"),
    ("net.lookup_ip_addr", "policies do not reach the network"),
    ("opa.runtime", "there is no OPA process to describe"),
    (
        "providers.aws.sign_req",
        "it only serves requests to the network, which policies do not reach",
    ),
    (
        "rego.parse_module",
        "it gives OPA's own syntax tree, which does not exist here",
    ),
    ("external_data", "external data providers are not supported yet"),
];

/// Why a built-in is refused, if it is.
pub fn refused(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|r| r.0 == name).map(|r| r.1)
}

/// The signature as a [`Type::Function`].
pub fn signature(builtin: &Builtin) -> &Type {
    &builtin.declared
}
