//! "Did you mean": names near to the one that is not known.

use crate::builtins::{Failure, Host};

/// The options near to what was typed, the nearest first.
pub(super) fn near<'a>(
    host: &mut dyn Host,
    typed: &str,
    options: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<&'a str>, Failure> {
    // Two fifths of the length, and one more.
    let limit = typed.len().saturating_mul(2) / 5 + 1;
    let mut out = Vec::new();
    for option in options {
        host.charge(0)?;
        if option.len().abs_diff(typed.len()) > limit {
            continue;
        }
        let distance = distance(host, typed, option)?;
        if distance <= limit {
            out.push((distance, option));
        }
    }
    out.sort_by_key(|o| o.0);
    Ok(out.into_iter().map(|o| o.1).collect())
}

/// Edits from one text to the other; a change of case alone counts as one.
fn distance(host: &mut dyn Host, a: &str, b: &str) -> Result<usize, Failure> {
    if a == b {
        return Ok(0);
    }
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    if a == b {
        return Ok(1);
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        host.work(b.len())?;
        let (mut corner, mut left) = (i, i + 1);
        let (Some(first), rest) = (row.first().copied(), row.get_mut(1..).unwrap_or_default()) else {
            break;
        };
        debug_assert_eq!(first, i);
        for (cell, y) in rest.iter_mut().zip(&b) {
            let cost = usize::from(x != *y);
            let best = (corner + cost).min(left + 1).min(*cell + 1);
            corner = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    Ok(row.last().copied().unwrap_or(0))
}

/// `A, B, or C`, at most five.
pub(super) fn or_list(items: &[String]) -> String {
    let items = items.get(..5).unwrap_or(items);
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} or {two}"),
        [rest @ .., last] => format!("{}, or {last}", rest.join(", ")),
    }
}

/// `"A", "B", or "C"`, at most five.
pub(super) fn quoted_or_list<S: AsRef<str>>(items: &[S]) -> String {
    let quoted: Vec<String> = items.iter().take(5).map(|i| format!("\"{}\"", i.as_ref())).collect();
    or_list(&quoted)
}

/// ` Did you mean "A" or "B"?`, or nothing.
pub(super) fn mean(prefix: &str, near: &[&str]) -> String {
    match near.is_empty() {
        true => String::new(),
        false => format!(" {prefix} {}?", quoted_or_list(near)),
    }
}
