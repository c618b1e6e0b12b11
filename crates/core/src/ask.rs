//! Asks one evaluator or both about an entry of a program.

use regent_rego::ast::Loc;
use regent_rego::{Code, Context, Entry, Error, Limits, Opinion, Outcome, Program, SecondEvaluator, opinion};

/// Which evaluator answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Our own.
    #[default]
    Native,
    /// The second opinion alone.
    Regorus,
    /// Both; a disagreement is a failure.
    Both,
}

/// What came of asking.
pub(crate) struct Asked {
    pub(crate) outcome: Outcome,
    /// Why the second evaluator was not asked, when it should have been.
    pub(crate) not_asked: Option<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct NoAnswer {
    pub(crate) message: String,
    /// Both answered, and not the same.
    pub(crate) disagreement: bool,
}

impl From<String> for NoAnswer {
    fn from(message: String) -> NoAnswer {
        NoAnswer {
            message,
            disagreement: false,
        }
    }
}

/// Asks one evaluator or both; `limits` gives those of the second, whose time begins when it is asked.
///
/// # Errors
/// That of the evaluator that answers, or how the two differ. One that hits a limit of ours is not compared: there is no
/// answer to compare with.
pub(crate) fn ask<'l>(
    program: &Program,
    entry: Entry,
    context: &Context<'_>,
    engine: Engine,
    second: Option<SecondEvaluator<'_>>,
    limits: impl Fn() -> Limits<'l>,
) -> Result<Asked, NoAnswer> {
    let native = || caught(|| program.eval(entry, context));
    if engine == Engine::Native {
        let outcome = native().map_err(|e| e.to_string())?;
        return Ok(Asked {
            outcome,
            not_asked: None,
        });
    }
    let Some(second) = second else {
        let message = "there is no second evaluator here; use the native engine".to_owned();
        return Err(message.into());
    };
    if engine == Engine::Regorus {
        return match second(program, entry, context) {
            Opinion::Value(value) => Ok(Asked {
                outcome: Outcome {
                    value,
                    prints: Vec::new(),
                },
                not_asked: None,
            }),
            Opinion::Error(message) => Err(message.into()),
            Opinion::NotAsked(reason) => Err(format!("regorus is not asked about this: {reason}").into()),
        };
    }
    let native = native();
    if let Err(error) = &native
        && matches!(error.code, Code::Limit | Code::Cancel)
    {
        return Err(error.to_string().into());
    }
    let opinion = second(
        program,
        entry,
        &Context {
            limits: limits(),
            ..*context
        },
    );
    let value = native.as_ref().map(|outcome| outcome.value.as_ref());
    if let Some(message) = opinion::disagreement(value, &opinion, false) {
        return Err(NoAnswer {
            message,
            disagreement: true,
        });
    }
    let outcome = native.map_err(|e| e.to_string())?;
    let not_asked = match opinion {
        Opinion::NotAsked(reason) => Some(reason),
        _ => None,
    };
    Ok(Asked { outcome, not_asked })
}

/// Runs the evaluator so that a fault of its own is an error like any other and ends nothing but this evaluation. What
/// it works on is not changed by it, so nothing half-done is left behind.
pub(crate) fn caught<T>(run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|_| {
        let message = "the evaluator failed; this is a fault of Regent, please report it with the policy";
        Err(Error::new(Code::Internal, &Loc::default(), message))
    })
}
