//! `FILE.tar.gz`: OPA bundles and archives of policies, read with bounds and written without a trace of when and where,
//! without touching the disk.

use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Component;

/// Entries an archive may have.
const ENTRIES: usize = 20_000;
/// Bytes an archive may unpack to.
const BYTES: u64 = 256 << 20;
/// Bytes unpacked for each byte packed; more is taken for a bomb.
const RATIO: u64 = 200;
/// An archive of this size may have any ratio.
const SMALL: u64 = 1 << 20;

/// Whether a name is one of an archive.
pub fn is_archive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".tar.gz") || name.ends_with(".tgz")
}

/// The files of an archive by name, sorted.
///
/// # Errors
/// It is no archive, breaks a bound, or has an entry that is a link or leaves its folder.
pub fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, String> {
    let limit = BYTES.min((bytes.len() as u64).saturating_mul(RATIO).max(SMALL));
    let mut archive = tar::Archive::new(MultiGzDecoder::new(bytes).take(limit.saturating_add(1)));
    let mut files = Vec::new();
    let mut total = 0u64;
    for (count, entry) in archive.entries().map_err(broken)?.enumerate() {
        let mut entry = entry.map_err(broken)?;
        if count >= ENTRIES {
            return Err(format!("the archive has more than {ENTRIES} entries"));
        }
        let path = entry.path().map_err(broken)?.into_owned();
        let shown = path.to_string_lossy().into_owned();
        let kind = entry.header().entry_type();
        if kind.is_symlink() || kind.is_hard_link() {
            return Err(format!("entry {shown:?} of the archive is a link"));
        }
        if !kind.is_file() {
            continue;
        }
        let mut parts = Vec::new();
        for part in path.components() {
            match part {
                Component::Normal(p) => parts.push(p.to_string_lossy().into_owned()),
                // Bundles name their entries from a root.
                Component::CurDir | Component::RootDir => {}
                Component::ParentDir | Component::Prefix(_) => {
                    return Err(format!("entry {shown:?} of the archive leaves its folder"));
                }
            }
        }
        total = total.saturating_add(entry.size());
        if total > limit {
            return Err(format!("the archive unpacks to more than {limit} bytes"));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(broken)?;
        files.push((parts.join("/"), content));
    }
    files.sort();
    if let Some((name, _)) = files.windows(2).find_map(|w| match w {
        [a, b] if a.0 == b.0 => Some(a),
        _ => None,
    }) {
        return Err(format!("the archive has {name:?} twice"));
    }
    Ok(files)
}

/// An archive of files: the same files give the same bytes, for nothing but names and contents is kept.
///
/// # Errors
/// A name is too long for an archive.
pub fn write(files: &BTreeMap<String, Vec<u8>>) -> std::io::Result<Vec<u8>> {
    let packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut archive = tar::Builder::new(packed);
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        archive.append_data(&mut header, name, bytes.as_slice())?;
    }
    archive.into_inner()?.finish()
}

fn broken(error: std::io::Error) -> String {
    format!("not a readable .tar.gz: {error}")
}
