//! From lowered rules to a plan over numbered slots.

use crate::compile::Compiled;
use crate::error::Error;
use crate::program::CompileOptions;

/// The plan of a program.
#[derive(Debug)]
pub struct Plan {}

/// Plans all rules and queries.
pub(crate) fn plan(_compiled: Compiled, _options: &CompileOptions) -> Result<Plan, Vec<Error>> {
    Ok(Plan {})
}
