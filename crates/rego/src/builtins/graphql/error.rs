//! Errors in GraphQL texts, worded as OPA words them.

use super::ast::Pos;

/// One error with its places.
#[derive(Clone, Debug)]
pub(super) struct GraphqlError {
    message: String,
    /// The first place; `Some(None)` is a place that is not known, which OPA writes as -1.
    place: Option<Option<Pos>>,
}

impl GraphqlError {
    /// An error of a text or a schema, which always has a place.
    pub(super) fn at(pos: Option<Pos>, message: impl Into<String>) -> GraphqlError {
        GraphqlError {
            message: message.into(),
            place: Some(pos),
        }
    }

    /// An error of a query against a schema: without a place where the query came as an object.
    pub(super) fn of_query(pos: Option<Pos>, message: String) -> GraphqlError {
        GraphqlError {
            message,
            place: pos.map(Some),
        }
    }

    fn text(&self) -> String {
        match self.place {
            None => format!("input: {}", self.message),
            Some(None) => format!("input:-1:-1: {}", self.message),
            Some(Some(p)) => format!("input:{}:{}: {}", p.line, p.column, self.message),
        }
    }
}

/// What OPA says of a parser's error.
pub(super) fn of_text(error: &GraphqlError) -> String {
    described(&error.text())
}

/// What OPA says of the errors of a query: all of them, and the place of the first.
pub(super) fn of_list(errors: &[GraphqlError]) -> String {
    let all: String = errors.iter().map(|e| e.text() + "\n").collect();
    described(&all)
}

/// What OPA says of a schema that parses but does not hold.
pub(super) fn of_schema(error: &GraphqlError) -> String {
    format!(
        "Error in gqlparser SchemaDocument to Schema conversion: {}",
        error.text()
    )
}

fn described(text: &str) -> String {
    let mut parts = text.splitn(4, ':');
    if let (Some(_), Some(row), Some(col), Some(rest)) = (parts.next(), parts.next(), parts.next(), parts.next())
        && let (Ok(row), Ok(col)) = (row.parse::<u64>(), col.parse::<u64>())
    {
        let rest = rest.trim_start_matches(' ');
        let rest = rest.strip_suffix(".\n").unwrap_or(rest);
        return format!("{rest} in GraphQL string at location {row}:{col}");
    }
    format!("GraphQL parse error: {text}")
}
