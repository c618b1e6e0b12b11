//! Puts `library/` and `policies/` into the binary.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../..");
    let mut files = Vec::new();
    for top in ["library", "policies"] {
        println!("cargo::rerun-if-changed={}", root.join(top).display());
        if root.join(top).is_dir() {
            walk(&root.join(top), top, &mut files)?;
        }
    }
    files.sort();
    let mut source = String::from("pub(crate) static FILES: &[(&str, &str)] = &[\n");
    for (name, path) in &files {
        let path = path.canonicalize()?;
        let _ = writeln!(source, "    ({name:?}, include_str!({path:?})),");
    }
    source.push_str("];\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    std::fs::write(out.join("embedded.rs"), source)
}

fn walk(folder: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(file) = path.file_name().and_then(|n| n.to_str()) else {
            continue;
        };
        let inner = format!("{name}/{file}");
        if path.is_dir() {
            walk(&path, &inner, files)?;
        } else if matches!(path.extension().and_then(|e| e.to_str()), Some("yaml" | "md" | "rego")) {
            files.push((inner, path));
        }
    }
    Ok(())
}
