//! Where the server gets what it judges by.

use crate::metrics::Text;
use regent_core::{Inventory, PolicySet};
use regent_rego::Value;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What one review is judged by; taken once a review, so that an answer is of one revision.
#[derive(Clone, Debug)]
pub struct Current {
    /// The policies.
    pub policies: Arc<PolicySet>,
    /// What they see as `data.inventory`.
    pub inventory: Arc<Inventory>,
}

/// What is known of a Namespace without asking anybody.
#[derive(Clone, Debug)]
pub enum KnownNamespace {
    /// The Namespace as it was last seen.
    Found(Value),
    /// Nobody can be asked (no cluster): matching goes without.
    Nobody,
    /// Not seen yet: [`Source::look_up`] asks.
    Ask,
}

/// A future of a lookup.
pub type LookUp<'a> = Pin<Box<dyn Future<Output = Result<Value, String>> + Send + 'a>>;

/// Where the server gets its policies and Namespaces.
pub trait Source: Send + Sync + 'static {
    /// The set in force; `None` until the first whole set is loaded, which is what "not ready" means.
    fn current(&self) -> Option<Current>;

    /// Ends when the set in force may be another one.
    fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// A Namespace, without waiting.
    fn namespace(&self, _name: &str) -> KnownNamespace {
        KnownNamespace::Nobody
    }

    /// Asks for a Namespace; the error is told to the client.
    fn look_up<'a>(&'a self, name: &'a str) -> LookUp<'a> {
        Box::pin(async move { Err(format!("namespaces {name:?} not found")) })
    }

    /// What keeps the server from being ready besides the missing first set; empty: nothing.
    fn unready(&self) -> Vec<String> {
        Vec::new()
    }

    /// What is not as it should be although reviews are answered, such as a source whose last good set is served.
    fn degraded(&self) -> Vec<String> {
        Vec::new()
    }

    /// The body of `/v1/policies`: revision, templates, constraints, problems.
    fn report(&self) -> Value;

    /// Adds metrics of its own.
    fn metrics(&self, _out: &mut Text) {}
}

/// A set that stays.
#[derive(Clone, Debug)]
pub struct Fixed(pub Current);

impl Fixed {
    /// Serves this set, with nothing in the inventory.
    pub fn new(policies: PolicySet) -> Fixed {
        Fixed(Current {
            policies: Arc::new(policies),
            inventory: Arc::default(),
        })
    }
}

impl Source for Fixed {
    fn current(&self) -> Option<Current> {
        Some(self.0.clone())
    }

    fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    fn report(&self) -> Value {
        describe(&self.0.policies)
    }
}

/// What a set holds, as `/v1/policies` tells it.
pub fn describe(policies: &PolicySet) -> Value {
    let constraints = policies.constraints().into_iter().map(|c| {
        Value::record([
            ("kind", Value::from(c.kind.as_str())),
            ("name", Value::from(c.name.as_str())),
            ("enforcementAction", Value::from(c.enforcement_action.as_str())),
            ("file", Value::from(c.file.as_str())),
            ("line", Value::from(i64::from(c.line))),
        ])
    });
    let templates = policies.templates();
    let expansions = policies.expansions().iter().map(|e| Value::from(e.name.as_str()));
    Value::record([
        ("revision", Value::from(policies.revision())),
        (
            "templates",
            Value::array(templates.iter().map(|t| Value::from(t.as_str())).collect()),
        ),
        ("constraints", Value::array(constraints.collect())),
        ("expansionTemplates", Value::array(expansions.collect())),
    ])
}
