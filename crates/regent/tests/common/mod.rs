//! What the data-driven tests share: finding files, running the binary, gathering failures.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use regent_rego::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("repository root")
}

/// A fresh folder below the test target's own scratch space.
pub fn scratch(name: &str) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}-{n}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("scratch folder");
    folder
}

/// A file's text.
pub fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A YAML file as a value.
pub fn yaml(path: &Path) -> Value {
    regent_rego::yaml::read(&text(path)).unwrap_or_else(|e| panic!("{}: {e:?}", path.display()))
}

/// Every document of a YAML file.
pub fn yaml_documents(path: &Path) -> Vec<Value> {
    regent_core::manifest::read(&path.display().to_string(), text(path).as_bytes())
        .into_iter()
        .map(|document| document.expect("document").value)
        .collect()
}

/// Files of a folder with an extension, sorted; files that start with a dot are left out.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == extension))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{}: no *.{extension}", folder.display());
    found
}

/// What a run of the binary gave.
pub struct Run {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it took.
    pub time: Duration,
    /// Most resident memory seen, in MiB.
    pub peak_mib: u64,
}

/// The program under test: the one built with the tests, or the one `REGENT` names (a release build).
fn program() -> std::ffi::OsString {
    std::env::var_os("REGENT").unwrap_or_else(|| env!("CARGO_BIN_EXE_regent").into())
}

/// Runs `regent` in a folder, with nothing on standard input.
pub fn regent(args: &[&str], folder: &Path) -> Run {
    let started = Instant::now();
    let mut child = Command::new(program())
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("regent starts");
    let out = child.stdout.take().expect("stdout");
    let err = child.stderr.take().expect("stderr");
    let read = |mut from: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes).expect("output");
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = read(Box::new(out));
    let stderr = read(Box::new(err));
    let mut peak = 0;
    let code = loop {
        peak = peak.max(peak_of(child.id()));
        if let Some(status) = child.try_wait().expect("wait") {
            break status.code().unwrap_or(-1);
        }
        // A hang fails its case, not the whole run.
        if started.elapsed() > Duration::from_secs(20) {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Run {
        code,
        stdout: stdout.join().expect("stdout"),
        stderr: stderr.join().expect("stderr"),
        time: started.elapsed(),
        peak_mib: peak >> 10,
    }
}

/// High-water mark of a process in KiB, where the system tells.
fn peak_of(pid: u32) -> u64 {
    std::fs::read_to_string(format!("/proc/{pid}/status"))
        .ok()
        .and_then(|s| {
            s.lines().find_map(|l| {
                l.strip_prefix("VmHWM:")?
                    .trim()
                    .strip_suffix(" kB")?
                    .trim()
                    .parse()
                    .ok()
            })
        })
        .unwrap_or(0)
}

/// Failures of many cases, told together at the end.
pub struct Failures {
    what: &'static str,
    count: usize,
    failed: Vec<String>,
}

impl Failures {
    /// None yet.
    pub fn new(what: &'static str) -> Failures {
        Failures {
            what,
            count: 0,
            failed: Vec::new(),
        }
    }

    /// One more case was judged.
    pub fn counted(&mut self) {
        self.count += 1;
    }

    /// A case that failed.
    pub fn add(&mut self, case: &str, why: &str) {
        self.failed.push(format!("{case}: {why}"));
    }

    /// Fails if any case did, or if fewer than `at_least` were judged.
    pub fn finish(self, at_least: usize) {
        println!("{}: {} judged, {} failed", self.what, self.count, self.failed.len());
        assert!(
            self.failed.is_empty(),
            "{} of {} {}:\n  {}",
            self.failed.len(),
            self.count,
            self.what,
            self.failed.join("\n  ")
        );
        assert!(
            self.count >= at_least,
            "only {} {}, want {at_least}",
            self.count,
            self.what
        );
    }
}

/// Seconds of a promise, with room in builds without optimisation (`REGENT_STRICT` takes the room away).
pub fn seconds(promised: u64) -> u64 {
    if std::env::var_os("REGENT_STRICT").is_some() {
        promised
    } else {
        promised * 3
    }
}

/// `{parts: [[text, times], ..]}` put together; with a third item `n`, `<i>` and `<j>` in the text are the turn and the
/// one after it.
pub fn parts(content: &Value) -> String {
    let mut out = String::new();
    for part in content.get("parts").and_then(Value::as_array).expect("parts") {
        let part = part.as_array().expect("part");
        let (text, times) = (part[0].as_str().expect("text"), part[1].as_i64().expect("times"));
        for i in 0..times {
            if part.len() > 2 {
                out.push_str(&text.replace("<i>", &i.to_string()).replace("<j>", &(i + 1).to_string()));
            } else {
                out.push_str(text);
            }
        }
    }
    out
}
