//! What a side says, in a form that compares, and which differences are known.

/// An error of the parser or the compiler.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    /// Its first line; further ones are not in OPA's JSON.
    pub(crate) message: String,
    pub(crate) row: i64,
}

impl Refusal {
    pub(crate) fn new(code: &str, row: i64, message: &str) -> Refusal {
        let refusal = Refusal {
            code: code.to_owned(),
            message: unnumbered(message.lines().next().unwrap_or_default()),
            row,
        };
        match refusal.is_by_name() {
            true => Refusal { row: 0, ..refusal },
            false => refusal,
        }
    }

    /// Of a reference to a rule: OPA shares its parts among all places that name the rule, and tells the last of them.
    fn is_by_name(&self) -> bool {
        self.message.starts_with("undefined ref: data.") || self.message.starts_with("function data.")
    }
}

/// Names made by the compiler are numbered as it goes; the numbers say nothing.
fn unnumbered(text: &str) -> String {
    let mut parts = text.split("__local");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("__local");
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    out
}

/// What a side says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The bindings of each result as text, sorted.
    Results(Vec<String>),
    /// No result.
    Undefined,
    /// Refused before evaluation: each error, sorted.
    Refused(Vec<Refusal>),
    /// An error while evaluating: its code.
    Failed(String),
}

impl Answer {
    /// Errors as an answer: codes that begin with `rego_` are the compiler's.
    pub(crate) fn errors(mut errors: Vec<Refusal>) -> Answer {
        errors.sort();
        errors.dedup();
        match errors.first() {
            Some(first) if !first.code.starts_with("rego_") && !first.code.starts_with("regent_unsupported") => {
                Answer::Failed(first.code.clone())
            }
            _ => Answer::Refused(errors),
        }
    }

    /// A word for tallies, and for keeping to one kind of difference while shrinking.
    pub(crate) fn kind(&self) -> String {
        match self {
            Answer::Results(_) => "value".to_owned(),
            Answer::Undefined => "undefined".to_owned(),
            Answer::Refused(errors) => errors.first().map(|e| e.code.clone()).unwrap_or_default(),
            Answer::Failed(code) => code.clone(),
        }
    }

    /// Refused for YAML in METADATA, whose faults Go's reader sees at other lines and tells in other words.
    pub(crate) fn is_faulty_yaml(&self) -> bool {
        let Answer::Refused(errors) = self else { return false };
        errors.iter().any(|e| e.message.starts_with("yaml: ")) && self.is_parse_error()
    }

    /// Refused by the parser.
    pub(crate) fn is_parse_error(&self) -> bool {
        matches!(self, Answer::Refused(errors) if errors.iter().all(|e| e.code == "rego_parse_error"))
    }

    /// The same answer: same results; or the same codes at the same rows; with `words`, in the same words too.
    pub(crate) fn agrees(&self, other: &Answer, words: bool) -> bool {
        let (Answer::Refused(a), Answer::Refused(b)) = (self, other) else {
            return self == other;
        };
        let fits = |(x, y): (&Refusal, &Refusal)| {
            // A row of 0: that side names no place.
            let same_row = x.row == y.row || x.row == 0 || y.row == 0;
            x.code == y.code && same_row && (!words || x.message == y.message)
        };
        // What a parser says after its first error follows from it.
        let unread = |of: &[Refusal]| {
            let rows = of.iter().filter(|e| e.code == "rego_parse_error").map(|e| e.row);
            rows.min().filter(|_| of.iter().all(|e| e.code == "rego_parse_error"))
        };
        if !words && let (Some(a), Some(b)) = (unread(a), unread(b)) {
            return a == b;
        }
        // `self` may name more variables than OPA, which takes some for bound once another expression is refused.
        let unsafe_only = |of: &[Refusal]| {
            let named = |e: &Refusal| e.code == "rego_unsafe_var_error" || e.message.ends_with(" is undeclared");
            of.iter().all(named)
        };
        if !words && unsafe_only(a) && unsafe_only(b) {
            return a.iter().any(|x| b.iter().any(|y| fits((x, y))));
        }
        a.len() == b.len() && a.iter().zip(b).all(fits)
    }
}

/// A difference that is known: where its text stands in the program or in an answer, a difference is explained.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    text: String,
    reason: String,
}

impl Known {
    /// Lines of `text<TAB>reason`; `#` begins a comment.
    pub(crate) fn read(text: &str) -> Vec<Known> {
        let lines = text.lines().filter(|l| !l.starts_with('#'));
        let parts = lines.filter_map(|l| l.split_once('\t'));
        parts
            .map(|(text, reason)| Known {
                text: text.trim().to_owned(),
                reason: reason.trim().to_owned(),
            })
            .collect()
    }

    /// The reason, when this entry explains a difference.
    pub(crate) fn explains(&self, texts: &[&str]) -> Option<&str> {
        texts
            .iter()
            .any(|t| t.contains(&self.text))
            .then_some(self.reason.as_str())
    }
}
