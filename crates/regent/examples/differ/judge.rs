//! OPA in a process of its own: `tests/opa/judge`.

use crate::answer::{Answer, Refusal};
use crate::case::{Case, read, record};
use regent_rego::{Value, json};
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The process.
pub(crate) struct Judge {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Judge {
    /// Starts it.
    pub(crate) fn start(path: &str) -> io::Result<Judge> {
        let mut child = Command::new(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let gone = || io::Error::other("no pipe");
        let to = child.stdin.take().ok_or_else(gone)?;
        let from = BufReader::new(child.stdout.take().ok_or_else(gone)?);
        Ok(Judge {
            child,
            to: Some(to),
            from,
        })
    }

    /// Sends cases without waiting; as many answers are due. The process reads ahead only as far as a pipe holds, so
    /// batches stay small.
    pub(crate) fn send(&mut self, case: &Case) -> io::Result<()> {
        let request = json::write(&record(case.request("x")));
        match &mut self.to {
            Some(to) => writeln!(to, "{request}"),
            None => Err(io::Error::other("the judge has ended")),
        }
    }

    /// The next answer, and the line it came in.
    pub(crate) fn receive(&mut self) -> io::Result<(Answer, String)> {
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        let answer = read(&line).ok_or_else(|| io::Error::other(format!("the judge said {line:?}")))?;
        Ok((understood(&answer), line.trim().to_owned()))
    }

    /// One case.
    pub(crate) fn ask(&mut self, case: &Case) -> io::Result<(Answer, String)> {
        self.send(case)?;
        self.receive()
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.to = None; // its standard input ends, and so does it
        let _ = self.child.wait();
    }
}

fn understood(answer: &Value) -> Answer {
    if let Some(errors) = answer.get("errors").and_then(Value::as_array) {
        let error = |e: &Value| {
            let text = |name| e.get(name).and_then(Value::as_str).unwrap_or_default();
            let row = e.get("row").and_then(Value::as_i64).unwrap_or(0);
            Refusal::new(text("code"), row, text("message"))
        };
        return Answer::errors(errors.iter().map(error).collect());
    }
    match answer.get("text").and_then(Value::as_array) {
        Some(texts) => Answer::Results(texts.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        None => Answer::Undefined,
    }
}
