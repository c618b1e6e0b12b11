//! Values as `sigs.k8s.io/yaml` writes them.

use crate::value::Value;

/// YAML as OPA's `yaml.marshal` writes it.
pub fn write(_value: &Value) -> String {
    String::new()
}
