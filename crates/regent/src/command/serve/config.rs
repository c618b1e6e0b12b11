//! The file of `--config`: flags by their names, put behind those that were given.

use crate::arguments::Arguments;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches};
use regent_rego::{Value, yaml};
use regent_watcher::files;
use std::ffi::OsString;
use std::path::Path;

/// The command line with what the file adds to it.
///
/// # Errors
/// The file cannot be read, or names no flag, or clap's message on what it says.
pub(super) fn merged(path: &Path, given: &[OsString]) -> Result<Arguments, String> {
    let name = path.to_string_lossy();
    let bytes = files::read(&name)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{name}: the text is not UTF-8"))?;
    let settings = yaml::read(text).map_err(|e| format!("{name}: {e}"))?;
    let settings = match &settings {
        Value::Null => return Err(format!("{name}: there is nothing in it")),
        Value::Object(settings) => settings,
        _ => return Err(format!("{name}: expected names of flags with values")),
    };
    let command = Arguments::command();
    let matches = command.clone().try_get_matches_from(given).map_err(|e| e.to_string())?;
    let Some((_, matches)) = matches.subcommand() else {
        return Err("no command".to_owned());
    };
    let serve = command.find_subcommand("serve").ok_or("no command")?;
    let mut all = given.to_vec();
    for (key, value) in settings.iter() {
        let key = key.as_str().unwrap_or_default();
        let flag = serve
            .get_arguments()
            .find(|a| a.get_long() == Some(key) && key != "config");
        let Some(flag) = flag else {
            return Err(format!("{name}: there is no flag --{key}; see regent serve --help"));
        };
        if matches.value_source(flag.get_id().as_str()) == Some(ValueSource::CommandLine) {
            continue;
        }
        let values = match value {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for value in values {
            match value {
                Value::Bool(true) if !flag.get_action().takes_values() => all.push(format!("--{key}").into()),
                Value::Bool(false) if !flag.get_action().takes_values() => {}
                Value::String(text) => all.push(format!("--{key}={text}").into()),
                Value::Number(number) => all.push(format!("--{key}={number}").into()),
                other => {
                    return Err(format!(
                        "{name}: {key}: expected a text or a number, not {}",
                        other.type_name()
                    ));
                }
            }
        }
    }
    let mut matches = command.try_get_matches_from(&all).map_err(|e| format!("{name}: {e}"))?;
    Arguments::from_arg_matches_mut(&mut matches).map_err(|e| format!("{name}: {e}"))
}
