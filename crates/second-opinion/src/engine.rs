//! Programs made ready for regorus, and evaluations of them.

use crate::builtins;
use crate::depth;
use crate::not_asked::reason;
use crate::session::{self, Session};
use crate::terms;
use crate::text::{self, Printed, QUERIES};
use crate::values::{to_other, to_ours};
use regent_rego::builtins::Cache;
use regent_rego::{Context, Entry, Opinion, Program, Subject, Value};
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, PolicyLengthConfig};
use std::num::{NonZeroU32, NonZeroUsize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A program as regorus runs it. Engines are kept and used again, one by each evaluation at a time.
pub(crate) struct Prepared {
    base: Engine,
    idle: Mutex<Vec<Idle>>,
    /// See [`Printed::keyed`].
    keyed: bool,
    /// See [`Printed::packages`].
    packages: bool,
    /// See [`Printed::may_fail`].
    may_fail: bool,
    /// See [`Program::hides_errors`].
    hides_errors: bool,
    cache: Arc<Cache>,
}

/// An engine between evaluations, with the base documents it holds.
struct Idle {
    engine: Engine,
    data: Option<Value>,
}

/// What [`Program::companion`] keeps.
pub(crate) type Companion = Result<Arc<Prepared>, String>;

/// Engines kept for a program; threads beyond this make their own.
const KEPT: usize = 64;
/// Work units of regorus between two looks at the clock.
const INTERVAL: u32 = 64;
/// Values of an answer.
const VALUES: usize = 16 << 20;
/// Told of an evaluation that was given up.
pub(crate) const LATE_REASON: &str = "regorus did not end in time";
/// Length of a program's text.
const TEXT: usize = 16 << 20;

/// What has been made of a program; made on the first call.
pub(crate) fn prepared(program: &Program) -> Arc<Companion> {
    program.companion(|program| {
        catch_unwind(AssertUnwindSafe(|| Prepared::new(program).map(Arc::new)))
            .unwrap_or_else(|_| Err(reason("unread", "regorus panics while reading the program")))
    })
}

/// Why regorus is not asked about a program at all; `None`: it is.
pub fn refusal(program: &Program) -> Option<String> {
    prepared(program).as_ref().as_ref().err().cloned()
}

/// The text that regorus is given for a program, module by module.
///
/// # Errors
/// Why it is not asked.
pub fn given(program: &Program) -> Result<String, String> {
    let lowered = program
        .lowered()
        .ok_or("the program was compiled without its lowered rules")?;
    let printed = text::print(lowered)?;
    Ok(printed.modules.into_iter().map(|(_, text)| text).collect())
}

/// Asks regorus about an entry, on the thread of the caller, which must have [`crate::STACK`] bytes of stack. Unwinding is
/// caught; an evaluation that regorus does not end by itself is not ended (see [`crate::Threads`] for that).
pub fn opinion(program: &Program, entry: Entry, context: &Context<'_>) -> Opinion {
    match prepared(program).as_ref() {
        Err(why) => Opinion::NotAsked(why.clone()),
        Ok(prepared) => prepared.ask(&Question::new(program, entry, context)),
    }
}

/// One evaluation, independent of what it was asked with.
pub(crate) struct Question {
    /// Text of what is asked for.
    asked: Asked,
    input: Option<Value>,
    data: Value,
    pub(crate) deadline: Option<Instant>,
    strict: bool,
    time_ns: i64,
    seed: u64,
    memory: usize,
}

enum Asked {
    /// The path of a rule.
    Rule(String),
    /// Any document.
    Document(String),
    /// The rule of a query.
    Query(String),
}

impl Question {
    pub(crate) fn new(program: &Program, entry: Entry, context: &Context<'_>) -> Question {
        let asked = match program.subject(entry) {
            Subject::Query(i) => Asked::Query(format!("data.{QUERIES}.q{i}")),
            Subject::Document(path) => {
                let names: Option<Vec<&str>> = path.iter().map(|p| p.as_str().filter(|s| terms::is_name(s))).collect();
                let mut out = String::from("data");
                for part in path.iter() {
                    match part.as_str().filter(|s| terms::is_name(s)) {
                        Some(name) => {
                            out.push('.');
                            out.push_str(name);
                        }
                        None => out.push_str(&format!("[{}]", regent_rego::json::write(part))),
                    }
                }
                match names {
                    Some(names) if is_rule(program, &names) => Asked::Rule(out),
                    _ => Asked::Document(out),
                }
            }
        };
        Question {
            asked,
            input: context.input.cloned(),
            data: context.data.clone(),
            deadline: session::deadline(context),
            strict: context.strict_builtin_errors,
            time_ns: context.time_ns,
            seed: context.seed,
            memory: context.limits.memory,
        }
    }
}

/// Whether rules stand at exactly this path.
fn is_rule(program: &Program, names: &[&str]) -> bool {
    let Some(lowered) = program.lowered() else { return false };
    lowered.modules.iter().any(|module| {
        module.rules.iter().any(|rule| {
            rule.head.args.is_none() && rule.head.reference.len() == 1 && {
                let path = regent_rego::compile::rule_path(module, rule);
                path.iter().map(String::as_str).eq(names.iter().copied())
            }
        })
    })
}

impl Prepared {
    fn new(program: &Program) -> Result<Prepared, String> {
        let Some(lowered) = program.lowered() else {
            return Err(reason("unread", "the program was compiled without its lowered rules"));
        };
        depth::check(lowered)?;
        let Printed {
            modules,
            builtins,
            keyed,
            packages,
            may_fail,
        } = text::print(lowered)?;
        let mut engine = Engine::new();
        engine.set_rego_v0(false);
        engine.set_strict_builtin_errors(false);
        engine.set_gather_prints(true);
        engine.set_policy_length_config(PolicyLengthConfig {
            max_col: NonZeroU32::MAX,
            max_file_bytes: NonZeroUsize::new(TEXT).unwrap_or(NonZeroUsize::MIN),
            max_lines: NonZeroUsize::new(TEXT).unwrap_or(NonZeroUsize::MIN),
        });
        let unread = |e: anyhow::Error| reason("unread", &one_line(&e.to_string()));
        for builtin in builtins.values() {
            builtins::add(&mut engine, builtin).map_err(unread)?;
        }
        for (name, text) in modules {
            engine.add_policy(name, text).map_err(unread)?;
        }
        // What regorus checks when it is asked first is checked now; the rule itself is not there.
        match engine.eval_rule(format!("data.{QUERIES}.none")) {
            Err(e) if !e.to_string().contains("not a valid rule path") => return Err(unread(e)),
            _ => {}
        }
        Ok(Prepared {
            base: engine,
            idle: Mutex::default(),
            keyed,
            packages,
            may_fail,
            hides_errors: program.hides_errors(),
            cache: Arc::default(),
        })
    }

    /// Asks; see [`opinion`].
    pub(crate) fn ask(&self, question: &Question) -> Opinion {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut idle = kept.unwrap_or_else(|| Idle {
            engine: self.base.clone(),
            data: None,
        });
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let answer = self.ask_engine(&mut idle, question);
            (answer, idle)
        }));
        match ran {
            Ok((answer, idle)) => {
                let mut kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() < KEPT {
                    kept.push(idle);
                }
                answer
            }
            // The engine is gone with the panic.
            Err(_) => {
                session::drop_current();
                Opinion::Error("regorus panics".to_owned())
            }
        }
    }

    fn ask_engine(&self, idle: &mut Idle, question: &Question) -> Opinion {
        let input = match question.input.as_ref().map(to_other).transpose() {
            Ok(input) => input.unwrap_or(regorus::Value::Undefined),
            Err(why) => return Opinion::NotAsked(why),
        };
        if self.may_fail && question.strict {
            return Opinion::NotAsked(reason("own-strict", "a built-in of regorus in a strict evaluation"));
        }
        let bare = question.data.as_object().is_none_or(|data| data.is_empty());
        if self.packages && !bare {
            return Opinion::NotAsked(reason("package-keys", "the names in a package, beside base documents"));
        }
        if !idle.data.as_ref().is_some_and(|data| same(data, &question.data)) {
            let data = match to_other(&question.data) {
                Ok(data) => data,
                Err(why) => return Opinion::NotAsked(why),
            };
            idle.engine.clear_data();
            if let Err(e) = idle.engine.add_data(data) {
                return Opinion::NotAsked(reason("unread", &one_line(&e.to_string())));
            }
            idle.data = Some(question.data.clone());
        }
        let session = Session {
            time_ns: question.time_ns,
            seed: question.seed,
            strict: question.strict,
            deadline: question.deadline,
            room: question.memory,
            cache: self.cache.clone(),
            halted: None,
            failed: false,
            unsure: None,
        };
        let engine = &mut idle.engine;
        engine.set_input(input);
        match session.left() {
            Some(limit) => engine.set_execution_timer_config(ExecutionTimerConfig {
                limit,
                check_interval: NonZeroU32::new(INTERVAL).unwrap_or(NonZeroU32::MIN),
            }),
            None => engine.clear_execution_timer_config(),
        }
        let (answer, session) = session::with(session, || match &question.asked {
            Asked::Rule(path) | Asked::Query(path) => engine.eval_rule(path.clone()),
            Asked::Document(path) => engine
                .eval_query(path.clone(), false)
                .map(|results| first(&results).unwrap_or(regorus::Value::Undefined)),
        });
        let _ = engine.take_prints();
        if let Some(session) = session {
            if let Some(why) = session.unsure {
                return Opinion::NotAsked(why);
            }
            if let Some(error) = session.halted {
                return self.failed(&error, session.failed);
            }
        }
        let value = match answer {
            Ok(value) => value,
            Err(e) => return self.failed(&one_line(&e.to_string()), false),
        };
        let mut room = VALUES;
        match to_ours(&value, &mut room) {
            Err(why) => Opinion::Error(why),
            Ok(value) => Opinion::Value(match (&question.asked, value) {
                // No result is undefined.
                (Asked::Query(_), Some(Value::Array(rows))) if rows.is_empty() => None,
                (_, value) => value,
            }),
        }
    }

    /// What an error of regorus, or of a built-in in a strict evaluation, says.
    fn failed(&self, error: &str, of_built_in: bool) -> Opinion {
        const LATE: &[&str] = &["execution exceeded time limit", "eval_cancel_error"];
        const CONFLICTS: &[&str] = &[
            "multiple outputs",
            "generated multiple times",
            "rule conflicts with rule",
        ];
        const UNREAD: &[&str] = &["is unsafe (path"];
        let is = |texts: &[&str]| texts.iter().any(|t| error.contains(t));
        if is(LATE) {
            return Opinion::NotAsked(LATE_REASON.to_owned());
        }
        if is(UNREAD) {
            return Opinion::NotAsked(reason("unread", "regorus finds no order for a body"));
        }
        let may_be_unseen = of_built_in || is(CONFLICTS);
        if self.keyed && may_be_unseen {
            return Opinion::NotAsked(reason("whole-rules", error));
        }
        if self.hides_errors && may_be_unseen {
            return Opinion::NotAsked(reason("rule-index", error));
        }
        Opinion::Error(error.to_owned())
    }
}

fn first(results: &regorus::QueryResults) -> Option<regorus::Value> {
    Some(results.result.first()?.expressions.first()?.value.clone())
}

/// Whether two documents are one, without looking into them.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => Arc::ptr_eq(a, b) || (a.is_empty() && b.is_empty()),
        _ => false,
    }
}

/// The message of an error of regorus, without the lines that show the source.
fn one_line(text: &str) -> String {
    let message = text.rsplit("error: ").next().unwrap_or(text);
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
