//! `bits.*` on integers of any size.

use super::arithmetic::{from_big, soft};
use super::operand::{any, must_be, too_large};
use super::{Answer, Failure, Host, Table};
use crate::number::Number;
use crate::value::Value;
use num_bigint::{BigInt, Sign};

pub(crate) const TABLE: Table = &[
    ("bits.and", |h, a| both(h, a, |x, y| x & y, |x, y| x & y)),
    ("bits.or", |h, a| both(h, a, |x, y| x | y, |x, y| x | y)),
    ("bits.xor", |h, a| both(h, a, |x, y| x ^ y, |x, y| x ^ y)),
    ("bits.negate", negate),
    ("bits.lsh", lsh),
    ("bits.rsh", rsh),
];

/// More bits than this are not shifted in.
const MAX_BITS: u64 = 400_000;

/// An integer operand, rounded to 64 bits of mantissa as OPA reads it.
pub(super) fn integer(args: &[&Value], place: usize) -> Result<BigInt, Failure> {
    match any(args, place)? {
        Value::Number(Number::Int(i)) => Ok(BigInt::from(*i)),
        Value::Number(n) => {
            let f = soft(n)?;
            if !f.is_int() {
                let text = format!("operand {place} must be integer number but got floating-point number");
                return Err(Failure::Type(text));
            }
            f.to_big().ok_or_else(|| too_large("number"))
        }
        other => Err(must_be(place, "integer", other)),
    }
}

fn both(
    host: &mut dyn Host,
    args: &[&Value],
    machine: fn(i64, i64) -> i64,
    big: fn(BigInt, BigInt) -> BigInt,
) -> Answer {
    let n = match (any(args, 1)?.as_i64(), any(args, 2)?.as_i64()) {
        (Some(x), Some(y)) => Number::Int(machine(x, y)),
        _ => from_big(host, &big(integer(args, 1)?, integer(args, 2)?))?,
    };
    Ok(Some(Value::Number(n)))
}

fn negate(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let n = !integer(args, 1)?;
    Ok(Some(Value::Number(from_big(host, &n)?)))
}

/// The distance: the lowest 64 bits, as OPA takes them.
fn distance(args: &[&Value]) -> Result<u64, Failure> {
    let s = integer(args, 2)?;
    if s.sign() == Sign::Minus {
        let text = "operand 2 must be an unsigned integer number but got a negative integer";
        return Err(Failure::Type(text.into()));
    }
    Ok((s & BigInt::from(u64::MAX)).try_into().unwrap_or(u64::MAX))
}

fn lsh(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let n = integer(args, 1)?;
    let s = distance(args)?;
    if n.bits().saturating_add(s) > MAX_BITS && n != BigInt::ZERO {
        return Err(too_large("number"));
    }
    let n = if n == BigInt::ZERO { n } else { n << s };
    Ok(Some(Value::Number(from_big(host, &n)?)))
}

fn rsh(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let n = integer(args, 1)?;
    let s = distance(args)?.min(MAX_BITS + 128);
    Ok(Some(Value::Number(from_big(host, &(n >> s))?)))
}
