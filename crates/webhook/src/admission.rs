//! From the bytes of a review to the bytes of its answer. Knows nothing of sockets and threads; what takes waiting (a
//! Namespace that was not seen yet) is asked of the caller.

use crate::admit::{self, Judged};
use crate::answer::Answer;
use crate::engines::Engines;
use crate::log;
use crate::outline::outline;
use crate::request::{self, Request, Unread, Version};
use crate::source::{Current, KnownNamespace};
use regent_core::{Decision, Review, Spent};
use regent_rego::{Value, json};
use std::time::Duration;

/// Levels of nesting that a stack of any size can take.
const SHALLOW: usize = 64;

/// What answers depend on besides policies and review.
#[derive(Clone, Debug)]
pub struct Options {
    /// Levels of nesting in a review.
    pub depth: usize,
    /// Values in a review.
    pub values: usize,
    /// Time one constraint may take on one object.
    pub constraint_time: Duration,
    /// Bytes that the values may take which one constraint makes while it judges one object.
    pub memory: usize,
    /// Bytes of one message.
    pub message: usize,
    /// Messages in an answer.
    pub messages: usize,
    /// Write a line for each violation.
    pub log_denies: bool,
    /// Users whose changes to Gatekeeper's resources and CRDs are not judged: the server's own.
    pub own_accounts: Vec<String>,
    /// Namespaces that may carry the label that exempts them.
    pub exempt: Exempt,
    /// Which evaluators judge.
    pub engines: Engines,
    /// Folders that policies are read from, with a slash at the end, an inner one before its outer: answers name files
    /// without them, as how the server's disk is laid out is no client's business.
    pub folders: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        let limits = crate::Limits::default();
        Options {
            depth: limits.depth,
            values: limits.values,
            constraint_time: limits.constraint_time,
            memory: limits.memory,
            message: limits.message,
            messages: limits.messages,
            log_denies: false,
            own_accounts: Vec::new(),
            exempt: Exempt::default(),
            engines: Engines::default(),
            folders: Vec::new(),
        }
    }
}

/// Names of Namespaces.
#[derive(Clone, Debug, Default)]
pub struct Exempt {
    /// Whole names.
    pub names: Vec<String>,
    /// Beginnings.
    pub prefixes: Vec<String>,
    /// Ends.
    pub suffixes: Vec<String>,
}

impl Exempt {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|n| n == name)
            || self.prefixes.iter().any(|p| name.starts_with(p.as_str()))
            || self.suffixes.iter().any(|s| name.ends_with(s.as_str()))
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// `/v1/admit`
    Admit,
    /// `/v1/admitlabel`
    AdmitLabel,
    /// `/v1/mutate`
    Mutate,
}

impl Path {
    /// The path of that name.
    pub fn parse(path: &str) -> Option<Path> {
        match path {
            "/v1/admit" => Some(Path::Admit),
            "/v1/admitlabel" => Some(Path::AdmitLabel),
            "/v1/mutate" => Some(Path::Mutate),
            _ => None,
        }
    }
}

/// What came of a review, as metrics count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Let pass.
    Allow,
    /// Refused by a policy.
    Deny,
    /// Refused because it could not be judged.
    Error,
}

/// An answer, and what is to be told of it.
#[derive(Debug)]
pub struct Outcome {
    /// Code of HTTP: 200 for every review that has a uid, whatever the answer.
    pub http: u16,
    /// The body.
    pub body: Vec<u8>,
    /// How it is counted; `None`: it is not.
    pub status: Option<Status>,
    /// The request said `dryRun`.
    pub dry_run: bool,
    /// How long each constraint took.
    pub spent: Vec<Spent>,
    /// Constraints that could not be judged, `(kind, name)`.
    pub failed: Vec<(String, String)>,
    /// Verdicts on which two evaluators do not agree.
    pub disagreements: usize,
    /// Verdicts that the second evaluator was not asked about, though both were wanted.
    pub unconfirmed: usize,
    /// Lines for the log of decisions.
    pub lines: Vec<String>,
}

impl Outcome {
    fn new(http: u16, body: Vec<u8>) -> Outcome {
        Outcome {
            http,
            body,
            status: None,
            dry_run: false,
            spent: Vec::new(),
            failed: Vec::new(),
            disagreements: 0,
            unconfirmed: 0,
            lines: Vec::new(),
        }
    }
}

/// A review whose Namespace has to be asked for first.
#[derive(Debug)]
pub struct Pending {
    request: Request,
    current: Current,
    warnings: Vec<String>,
    /// The Namespace's name.
    pub namespace: String,
}

impl Pending {
    /// What its answer needs when it never comes to be judged.
    pub fn identity(&self) -> (String, Version) {
        (self.request.uid.clone(), self.request.version)
    }
}

/// A review that was read, and that policies must be asked about.
#[derive(Debug)]
pub struct Ready {
    request: Request,
    review: Review,
    current: Current,
    warnings: Vec<String>,
}

impl Ready {
    /// The policies it is judged by.
    pub(crate) fn policies(&self) -> std::sync::Arc<regent_core::PolicySet> {
        self.current.policies.clone()
    }

    /// What its answer needs when it never comes to be judged.
    pub fn identity(&self) -> (String, Version) {
        (self.request.uid.clone(), self.request.version)
    }
}

/// How far a review came.
#[derive(Debug)]
pub enum Step {
    /// It is answered.
    Done(Outcome),
    /// It takes longer than there is in a hurry.
    Later,
    /// Policies match: [`judge`] goes on, on a thread that may take its time.
    Judge(Box<Ready>),
    /// A Namespace is needed; [`resume`] goes on.
    Namespace(Box<Pending>),
}

/// The clock of one review.
#[derive(Clone, Copy)]
pub struct Clock<'a> {
    /// Monotonic nanoseconds.
    pub now: &'a (dyn Fn() -> u64 + Sync),
    /// Nanoseconds the review may take from here.
    pub budget: u64,
    /// Nanoseconds since 1970.
    pub time_ns: i64,
}

fn reading(options: &Options) -> json::ReadOptions {
    json::ReadOptions {
        depth: options.depth,
        values: options.values,
        // An API server sends no such review; which of the two it would store, it alone knows.
        refuse_duplicates: true,
    }
}

/// The answer to a review of a kind that no policy asks for, by its names alone. `None`: [`begin`] to read it.
pub fn glance(
    body: &[u8],
    current: &Current,
    namespace: impl Fn(&str) -> KnownNamespace,
    options: &Options,
) -> Option<Outcome> {
    let outline = outline(body, reading(options), |group, kind| {
        admit::asks_for(current, group, kind)
    })?;
    let answer = admit::unasked(&outline, current)?;
    // A Namespace that cannot be found is a fault whether it is needed or not.
    if let KnownNamespace::Ask = lives_in(outline.namespace, outline.is_namespace(), namespace) {
        return None;
    }
    Some(Outcome {
        status: Some(Status::Allow),
        dry_run: outline.dry_run,
        ..Outcome::new(200, answer.write(outline.uid, outline.version))
    })
}

/// Reads a review and answers it where neither a Namespace has to be asked for nor a policy. In a `hurry` what is deep,
/// wrong or takes compiling is left to a thread that may take its time, so that what it takes is bounded by the body.
pub fn begin(
    path: Path,
    body: &[u8],
    current: Option<Current>,
    namespace: impl Fn(&str) -> KnownNamespace,
    options: &Options,
    hurry: bool,
) -> Step {
    let mut read = reading(options);
    if hurry {
        read.depth = read.depth.min(SHALLOW);
    }
    let request = match request::read(body, read) {
        Ok(request) if hurry && admit::is_own(&request) => return Step::Later,
        Ok(request) => request,
        Err(_) if hurry => return Step::Later,
        Err(unread) => return Step::Done(refuse(unread)),
    };
    match path {
        Path::Admit => {}
        Path::Mutate => return Step::Done(plain(&request, Answer::allow(""), Status::Allow)),
        Path::AdmitLabel => {
            let answer = admit::label(&request, &options.exempt);
            let status = if answer.allowed { Status::Allow } else { Status::Deny };
            return Step::Done(plain(&request, answer, status));
        }
    }
    let Some(current) = current else {
        let answer = Answer::error(503, "no policies are loaded yet, so nothing can be judged");
        return Step::Done(plain(&request, answer, Status::Error));
    };
    let warnings = match admit::before(&request, &current, options) {
        Ok(warnings) => warnings,
        Err(judged) => return Step::Done(done(&request, *judged, options)),
    };
    let found = match lives_in(request.text(&["namespace"]), request.is_namespace(), namespace) {
        KnownNamespace::Found(value) => Some(value),
        KnownNamespace::Nobody => None,
        KnownNamespace::Ask => {
            return Step::Namespace(Box::new(Pending {
                namespace: request.text(&["namespace"]).to_owned(),
                request,
                current,
                warnings,
            }));
        }
    };
    match ready(request, found, current, warnings, options) {
        Ok(ready) => Step::Judge(ready),
        Err(outcome) => Step::Done(*outcome),
    }
}

/// What is known of the Namespace that a request's object lives in; nobody is asked about what lives in none.
fn lives_in(name: &str, is_namespace: bool, namespace: impl Fn(&str) -> KnownNamespace) -> KnownNamespace {
    if name.is_empty() || is_namespace {
        KnownNamespace::Nobody
    } else {
        namespace(name)
    }
}

/// A review with everything that judging it takes, or the answer, where no policy has anything to say.
fn ready(
    request: Request,
    namespace: Option<Value>,
    current: Current,
    warnings: Vec<String>,
    options: &Options,
) -> Result<Box<Ready>, Box<Outcome>> {
    let review = match Review::of_request(&request.value, namespace) {
        Ok(review) => review,
        Err(message) => return Err(Box::new(done(&request, Judged::error(500, message), options))),
    };
    match admit::untouched(&review, &current, &warnings, options) {
        Some(judged) => Err(Box::new(done(&request, judged, options))),
        None => Ok(Box::new(Ready {
            request,
            review,
            current,
            warnings,
        })),
    }
}

/// Judges a review.
pub fn judge(ready: &Ready, options: &Options, clock: Clock<'_>) -> Outcome {
    let Ready {
        request,
        review,
        current,
        warnings,
    } = ready;
    let judged = admit::judge(request, review, current, warnings.clone(), options, clock);
    done(request, judged, options)
}

/// Goes on with a review whose Namespace was asked for: it is to be judged, or is answered.
///
/// # Errors
/// The answer.
pub fn resume(
    pending: Pending,
    namespace: Result<Value, String>,
    options: &Options,
) -> Result<Box<Ready>, Box<Outcome>> {
    let Pending {
        request,
        current,
        warnings,
        ..
    } = pending;
    match namespace {
        Ok(namespace) => ready(request, Some(namespace), current, warnings, options),
        Err(why) => {
            let judged = Judged::error(500, format!("failed to create augmentedReview: {why}"));
            Err(Box::new(done(&request, judged, options)))
        }
    }
}

/// The answer to a review that was not judged, by what is known of it: a uid, or its first bytes.
pub fn unjudged(identity: Result<(String, Version), &[u8]>, code: u16, message: &str) -> Outcome {
    refuse(match identity {
        Ok((uid, version)) => Unread {
            uid: Some(uid),
            version,
            code,
            message: message.to_owned(),
        },
        Err(beginning) => Unread::of(beginning, code, message),
    })
}

fn refuse(unread: Unread) -> Outcome {
    let (http, body) = match &unread.uid {
        Some(uid) => (
            200,
            Answer::error(unread.code, unread.message).write(uid, unread.version),
        ),
        None => (unread.code, format!("{}\n", unread.message).into_bytes()),
    };
    Outcome {
        status: Some(Status::Error),
        ..Outcome::new(http, body)
    }
}

fn plain(request: &Request, answer: Answer, status: Status) -> Outcome {
    Outcome {
        status: Some(status),
        dry_run: request.dry_run(),
        ..Outcome::new(200, answer.write(&request.uid, request.version))
    }
}

fn done(request: &Request, judged: Judged, options: &Options) -> Outcome {
    let Judged {
        answer,
        status,
        decision,
    } = judged;
    let mut out = plain(request, answer, status.unwrap_or(Status::Error));
    out.status = status;
    let Some(decision) = decision else { return out };
    if options.log_denies {
        out.lines = log::lines(request, &decision);
    }
    let Decision {
        spent,
        failures,
        unconfirmed,
        ..
    } = decision;
    out.spent = spent;
    out.disagreements = failures.iter().filter(|f| f.disagreement).count();
    out.unconfirmed = unconfirmed.len();
    out.failed = failures
        .into_iter()
        .map(|f| (f.constraint_kind, f.constraint_name))
        .collect();
    out
}
