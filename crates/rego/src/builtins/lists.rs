//! Lists whose length input drives: what takes long on them looks at the clock on the way.

use super::{Failure, Host};
use std::cmp::Ordering;

/// Items between two looks.
const PART: usize = 8 << 10;

/// Doubles the room of a list, which moves to the larger place part by part.
///
/// # Errors
/// The time is up; the list has then lost items.
#[cold]
pub(crate) fn grow<T>(host: &mut dyn Host, list: &mut Vec<T>) -> Result<(), Failure> {
    let mut larger = Vec::with_capacity(list.len().saturating_mul(2));
    let mut old = std::mem::take(list).into_iter();
    while !old.as_slice().is_empty() {
        host.work(PART * size_of::<T>())?;
        larger.extend(old.by_ref().take(PART));
    }
    *list = larger;
    Ok(())
}

/// Whether each neighbour stands in a relation to the next one.
///
/// # Errors
/// The time is up.
pub(crate) fn each<T>(host: &mut dyn Host, list: &[T], holds: fn(&T, &T) -> bool) -> Result<bool, Failure> {
    let mut rest = list;
    loop {
        // The last of a part is the first of the next, so that no pair is left out.
        let part = rest.get(..=PART).unwrap_or(rest);
        if !part.is_sorted_by(holds) {
            return Ok(false);
        }
        match rest.get(PART..) {
            Some(after) if after.len() > 1 => rest = after,
            _ => return Ok(true),
        }
        host.work(PART * size_of::<T>())?;
    }
}

/// A list in order; equal items keep the order they have.
///
/// # Errors
/// The time is up.
pub(crate) fn sorted<T>(
    host: &mut dyn Host,
    mut list: Vec<T>,
    order: fn(&T, &T) -> Ordering,
) -> Result<Vec<T>, Failure> {
    if list.len() <= PART {
        list.sort_by(order);
        return Ok(list);
    }
    let mut runs: Vec<Vec<T>> = Vec::with_capacity(list.len() / PART + 1);
    let mut rest = list.into_iter();
    while !rest.as_slice().is_empty() {
        let mut part: Vec<T> = rest.by_ref().take(PART).collect();
        // A part takes as long to sort as it takes to go through it that often.
        host.work(part.len() * size_of::<T>() * 8)?;
        part.sort_by(order);
        runs.push(part);
    }
    while runs.len() > 1 {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
        let mut pairs = runs.into_iter();
        while let Some(one) = pairs.next() {
            merged.push(match pairs.next() {
                Some(two) => merge(host, one, two, order)?,
                None => one,
            });
        }
        runs = merged;
    }
    Ok(runs.pop().unwrap_or_default())
}

/// Two lists in order as one; of equal items those of the first come first.
fn merge<T>(host: &mut dyn Host, one: Vec<T>, two: Vec<T>, order: fn(&T, &T) -> Ordering) -> Result<Vec<T>, Failure> {
    let mut out = Vec::with_capacity(one.len() + two.len());
    let (mut one, mut two) = (one.into_iter(), two.into_iter());
    loop {
        if out.len() % PART == 0 {
            host.work(PART * size_of::<T>())?;
        }
        let next = match (one.as_slice().first(), two.as_slice().first()) {
            (Some(a), Some(b)) if order(a, b) == Ordering::Greater => two.next(),
            (Some(_), _) => one.next(),
            (None, _) => two.next(),
        };
        let Some(next) = next else {
            return Ok(out);
        };
        out.push(next);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends by panicking")]

    use super::*;
    use crate::builtins::quiet::Quiet;

    /// Numbers in no order, each some times.
    fn mixed(n: u64) -> Vec<(u64, u64)> {
        (0..n)
            .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50, i))
            .collect()
    }

    #[test]
    fn long_lists_are_sorted_as_short_ones() {
        for n in [0, 1, 2, 8 << 10, (8 << 10) + 1, 50_000, 65_536] {
            let list = mixed(n);
            let mut wanted = list.clone();
            wanted.sort_by_key(|i| i.0);
            assert_eq!(sorted(&mut Quiet, list, |a, b| a.0.cmp(&b.0)).unwrap(), wanted, "{n}");
        }
    }

    #[test]
    fn every_pair_of_neighbours_is_looked_at() {
        let list: Vec<usize> = (0..3 * PART + 5).collect();
        assert!(each(&mut Quiet, &list, |a, b| a < b).unwrap());
        for at in [1, PART - 1, PART, PART + 1, 2 * PART, list.len() - 1] {
            let mut list = list.clone();
            *list.get_mut(at).unwrap() = 0;
            assert!(!each(&mut Quiet, &list, |a, b| a < b).unwrap(), "{at}");
        }
    }

    #[test]
    fn growing_keeps_what_is_there() {
        for n in [0, 1, PART, 5 * PART + 1] {
            let mut list: Vec<usize> = (0..n).collect();
            grow(&mut Quiet, &mut list).unwrap();
            assert!(list.capacity() >= 2 * n);
            assert_eq!(list, (0..n).collect::<Vec<_>>());
        }
    }
}
