//! The command line as clap reads it.
#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "these texts are help on a terminal, where brackets are brackets"
)]

mod serve;

pub(crate) use serve::{Serve, TlsVersion};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::time::Duration;

/// Policy as code for Kubernetes: judge manifests and requests with Rego.
#[derive(Debug, Parser)]
#[command(name = "regent", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What every command understands.
#[derive(Args, Clone, Debug)]
pub(crate) struct Output {
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
    /// Print results and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print more: what was skipped, which policies were loaded, lines that policies print
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Judge manifests with policies, offline
    Check(Check),
    /// Run Gatekeeper Suites and Rego unit tests
    Verify(Verify),
    /// Evaluate a Rego query, as `opa eval` does
    Eval(Eval),
    /// Say which constraints match an object or not and why, and what they found
    Explain(Explain),
    /// Measure how fast a policy set judges manifests
    Bench(Bench),
    /// Serve as an admission webhook
    Serve(Box<Serve>),
    /// What this binary ships
    #[command(subcommand)]
    Library(Library),
    /// Policies as one archive
    #[command(subcommand)]
    Bundle(Bundle),
    /// Print version and build
    Version,
    /// Print a completion script for a shell
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
}

/// What is judged, by what, and how.
#[derive(Args, Clone, Debug)]
pub(crate) struct Judging {
    /// Manifests: file, directory, or `-` for standard input
    #[arg(short, long = "filename", value_name = "PATH", required = true)]
    pub(crate) filename: Vec<String>,
    /// Policies: directory, file, archive (.tar.gz), builtin:SET[@VERSION], or `-`
    #[arg(short, long = "policy", value_name = "SOURCE")]
    pub(crate) policy: Vec<String>,
    /// Namespace of objects that name none
    #[arg(short, long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// More objects for data.inventory and for looking up Namespaces (those in -f are there already)
    #[arg(long, value_name = "PATH")]
    pub(crate) inventory: Vec<String>,
    /// Enforcement point whose actions count
    #[arg(long, value_name = "NAME", default_value = "gator.gatekeeper.sh")]
    pub(crate) enforcement_point: String,
    /// Judge the Pods that workloads imply by every constraint
    #[arg(long)]
    pub(crate) workloads: bool,
    /// Evaluator; `both` makes a disagreement an error
    #[arg(long, value_enum, default_value_t = EngineName::Native)]
    pub(crate) engine: EngineName,
    /// Time limit for each constraint and object (500ms, 1s, 1m30s)
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) memory: Memory,
    /// Threads that judge; all cores by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Memory {
    /// Memory that the values may take which one evaluation makes (1Mi to 64Gi)
    #[arg(long, value_name = "BYTES", default_value = "192Mi", value_parser = memory)]
    pub(crate) max_memory: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineName {
    Native,
    Regorus,
    Both,
}

impl EngineName {
    pub(crate) fn engine(self) -> regent_core::Engine {
        match self {
            EngineName::Native => regent_core::Engine::Native,
            EngineName::Regorus => regent_core::Engine::Regorus,
            EngineName::Both => regent_core::Engine::Both,
        }
    }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// Format of the report
    #[arg(short, long, value_enum, default_value_t = CheckFormat::Text)]
    pub(crate) output: CheckFormat,
    /// The mildest action that makes the exit code 1
    #[arg(long, value_enum, default_value_t = FailOn::Deny, value_name = "ACTION")]
    pub(crate) fail_on: FailOn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    Text,
    Table,
    Json,
    Yaml,
    Junit,
    Sarif,
    Github,
    Policyreport,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    Deny,
    Warn,
    Dryrun,
}

/// Whether and how coverage is told.
#[derive(Args, Clone, Debug)]
pub(crate) struct Coverage {
    /// Tell which lines were reached; of a Suite also which criteria of match and which parameters
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Write coverage to a file (implies --coverage)
    #[arg(long, value_name = "FILE")]
    pub(crate) coverage_output: Option<String>,
    /// Format of that file; without it, the file's name says: .info or .lcov, .json, else text
    #[arg(long, value_enum, value_name = "FORMAT", requires = "coverage_output")]
    pub(crate) coverage_format: Option<CoverageFormat>,
}

impl Coverage {
    /// Whether anything of it is asked for.
    pub(crate) fn wanted(&self) -> bool {
        self.coverage || self.coverage_output.is_some()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CoverageFormat {
    Text,
    Json,
    Lcov,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Verify {
    /// Suite files, directories, or DIR/... for all below
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<String>,
    /// Only tests and cases whose name matches; `TEST//CASE` for both
    #[arg(short, long, value_name = "REGEX", default_value = "")]
    pub(crate) run: String,
    /// Format of the report
    #[arg(short, long, value_enum, default_value_t = VerifyFormat::Text)]
    pub(crate) output: VerifyFormat,
    /// Evaluator; `both` makes a disagreement an error
    #[arg(long, value_enum, default_value_t = EngineName::Native)]
    pub(crate) engine: EngineName,
    /// Time limit for each constraint and object
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) memory: Memory,
    #[command(flatten)]
    pub(crate) coverage: Coverage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyFormat {
    Text,
    Json,
    Junit,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Eval {
    /// Query
    pub(crate) query: String,
    /// Rego, JSON or YAML file, or a directory of them
    #[arg(short, long, value_name = "PATH")]
    pub(crate) data: Vec<String>,
    /// Input document; `-` for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "stdin_input")]
    pub(crate) input: Option<String>,
    /// Read the input document from standard input
    #[arg(short = 'I', long)]
    pub(crate) stdin_input: bool,
    /// Format of the result
    #[arg(short, long, value_enum, default_value_t = EvalFormat::Json)]
    pub(crate) format: EvalFormat,
    /// Exit with 1 when the result is undefined
    #[arg(long, conflicts_with = "fail_defined")]
    pub(crate) fail: bool,
    /// Exit with 1 when the result is defined
    #[arg(long)]
    pub(crate) fail_defined: bool,
    /// Read what declares no version as Rego v0
    #[arg(long)]
    pub(crate) v0_compatible: bool,
    /// Make the first error of a built-in function fatal
    #[arg(long)]
    pub(crate) strict_builtin_errors: bool,
    /// OPA's strict mode of the compiler
    #[arg(short = 'S', long)]
    pub(crate) strict: bool,
    /// Package the query is in
    #[arg(long, value_name = "PACKAGE")]
    pub(crate) package: Option<String>,
    /// Import of the query
    #[arg(long, value_name = "REFERENCE")]
    pub(crate) import: Vec<String>,
    /// Evaluator; `both` makes a disagreement an error
    #[arg(long, value_enum, default_value_t = EngineName::Native)]
    pub(crate) engine: EngineName,
    /// Time limit (default none)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) memory: Memory,
    #[command(flatten)]
    pub(crate) coverage: Coverage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EvalFormat {
    Json,
    Pretty,
    Values,
    Bindings,
    Raw,
    Discard,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// Only objects (KIND/NAME, KIND/NAMESPACE/NAME, NAME) and constraints (KIND/NAME, NAME) called so
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Format
    #[arg(short, long, value_enum, default_value_t = ExplainFormat::Text)]
    pub(crate) output: ExplainFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainFormat {
    Text,
    Json,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// How often every object is judged
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) iterations: u32,
    /// Rounds before measuring
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) warmup: u32,
    /// Format
    #[arg(short, long, value_enum, default_value_t = BenchFormat::Text)]
    pub(crate) output: BenchFormat,
    /// Write the figures (JSON) for a later --compare
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<String>,
    /// Compare with figures saved earlier; exit 1 when one is worse by more than the threshold
    #[arg(long, value_name = "FILE")]
    pub(crate) compare: Option<String>,
    /// Percent that counts as worse
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0)]
    pub(crate) threshold: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Library {
    /// List policies and ready sets
    List {
        /// Format
        #[arg(short, long, value_enum, default_value_t = ListFormat::Text)]
        output: ListFormat,
    },
    /// Print a policy's template and description, or a set's constraints
    Show {
        /// `group/policy`, `policy`, a template's kind, or a set
        name: String,
    },
    /// Write policies or sets as files to a directory
    Export {
        /// `group/policy`, `policy`, a set, or `all`
        #[arg(required = true)]
        names: Vec<String>,
        /// Directory
        #[arg(short, long, value_name = "DIR")]
        directory: String,
        /// Overwrite files that are there
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bundle {
    /// Check policies and pack them; the same policies give the same bytes
    Build {
        /// Policies: directory, file, archive (.tar.gz), builtin:SET[@VERSION], or `-`
        #[arg(short, long = "policy", value_name = "SOURCE", required = true)]
        policy: Vec<String>,
        /// Archive to write
        #[arg(short, long, value_name = "FILE.tar.gz")]
        output: String,
    },
    /// Check an archive and list what is in it, with its digest
    Inspect {
        /// Archive
        #[arg(value_name = "FILE.tar.gz")]
        file: String,
        /// Format
        #[arg(short, long, value_enum, default_value_t = BundleFormat::Text)]
        output: BundleFormat,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BundleFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    Text,
    Json,
}

/// `300ms`, `1s`, `1m30s`, `1h`, as Go writes durations; more than nothing.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const FORM: &str = "expected a duration such as 500ms, 1s or 1m30s";
    let mut rest = text;
    let mut total = 0f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(FORM)?;
        let (number, tail) = rest.split_at_checked(digits).ok_or(FORM)?;
        let letters = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(letters).ok_or(FORM)?;
        let scale = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(FORM.into()),
        };
        total += number.parse::<f64>().map_err(|_| FORM)? * scale;
        rest = tail;
    }
    if total <= 0.0 {
        return Err("a time limit must be more than nothing".into());
    }
    Duration::try_from_secs_f64(total).map_err(|_| FORM.into())
}

/// A number of bytes: `4096`, `64Ki`, `32Mi`, `1Gi`.
fn bytes(text: &str) -> Result<usize, String> {
    let units = [("Ki", 10), ("Mi", 20), ("Gi", 30)];
    let found = units
        .iter()
        .find_map(|(u, shift)| Some((text.strip_suffix(u)?, *shift)));
    let (number, shift) = found.unwrap_or((text, 0));
    number
        .parse::<usize>()
        .ok()
        .and_then(|n| n.checked_mul(1 << shift))
        .ok_or_else(|| "expected a number of bytes such as 4096, 64Ki or 32Mi".to_owned())
}

/// What an evaluation may take.
fn memory(text: &str) -> Result<usize, String> {
    let found = bytes(text)?;
    if (1 << 20..=64 << 30).contains(&found) {
        Ok(found)
    } else {
        Err("expected 1Mi to 64Gi".to_owned())
    }
}
