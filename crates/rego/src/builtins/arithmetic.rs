//! `+ - * / %`, `abs`, `round`, `ceil`, `floor`: machine integers where the result is the same, else 64 bits of
//! mantissa.

use super::operand::{error, must_be, must_be_one_of, number, too_large};
use super::{Answer, Failure, Host, Table};
use crate::number::Number;
use crate::softfloat::Soft;
use crate::value::Value;
use num_bigint::BigInt;

pub(crate) const TABLE: Table = &[
    ("plus", plus),
    ("minus", minus),
    ("mul", mul),
    ("div", div),
    ("rem", rem),
    ("abs", abs),
    ("round", round),
    ("ceil", ceil),
    ("floor", floor),
];

/// The operand as OPA's float; exponents beyond its range end the evaluation.
pub(super) fn soft(n: &Number) -> Result<Soft, Failure> {
    n.soft().ok_or_else(|| too_large("number"))
}

/// A float as OPA writes it.
pub(super) fn from_soft(host: &mut dyn Host, result: Option<Soft>) -> Result<Number, Failure> {
    let text = result.and_then(Soft::text).ok_or_else(|| too_large("number"))?;
    if text.len() > 64 {
        host.charge(text.len())?;
    }
    Ok(Number::from_valid(&text))
}

fn answer(host: &mut dyn Host, result: Option<Soft>) -> Answer {
    Ok(Some(Value::Number(from_soft(host, result)?)))
}

fn int(i: i64) -> Answer {
    Ok(Some(Value::Number(Number::Int(i))))
}

/// An integer of any size.
pub(super) fn from_big(host: &mut dyn Host, i: &BigInt) -> Result<Number, Failure> {
    if let Ok(i) = i64::try_from(i) {
        return Ok(Number::Int(i));
    }
    // Writing out is quadratic in the length; the charge stands for the work as well.
    host.charge(usize::try_from(i.bits()).unwrap_or(usize::MAX))?;
    Ok(Number::from_valid(&i.to_string()))
}

/// OPA computes in integers within this range only; beyond it a zero can be negative.
fn small(i: i64) -> bool {
    (-999..=999).contains(&i)
}

fn plus(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (a, b) = (number(args, 1)?, number(args, 2)?);
    if let (Number::Int(x), Number::Int(y)) = (a, b)
        && let Some(sum) = x.checked_add(*y)
    {
        return int(sum);
    }
    let sum = soft(a)?.add(soft(b)?);
    answer(host, sum)
}

fn minus(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (Some(a), Some(b)) = (args.first(), args.get(1)) else {
        return Ok(None);
    };
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            if let (Number::Int(x), Number::Int(y)) = (a, b)
                && let Some(difference) = x.checked_sub(*y)
            {
                return int(difference);
            }
            let difference = soft(a)?.sub(soft(b)?);
            answer(host, difference)
        }
        (Value::Set(a), Value::Set(b)) => super::collections::set_minus(host, a, b),
        (Value::Set(_), b @ Value::Number(_)) => Err(must_be(2, "set", b)),
        (Value::Number(_) | Value::Set(_), b) => Err(must_be(2, "number", b)),
        (a, _) => Err(must_be_one_of(1, &["number", "set"], a)),
    }
}

fn mul(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (a, b) = (number(args, 1)?, number(args, 2)?);
    if let (Number::Int(x), Number::Int(y)) = (a, b)
        && let Some(product) = x.checked_mul(*y)
        && (product != 0 || (*x >= 0 && *y >= 0) || (small(*x) && small(*y)))
    {
        return int(product);
    }
    // `-0` is an integer as well.
    if let (Some(x), Some(y)) = (a.as_i64(), b.as_i64())
        && small(x)
        && small(y)
    {
        return int(x * y);
    }
    let product = soft(a)?.mul(soft(b)?);
    answer(host, product)
}

fn div(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (a, b) = (number(args, 1)?, number(args, 2)?);
    if let (Number::Int(x), Number::Int(y)) = (a, b)
        && *x != 0
        && x.checked_rem(*y) == Some(0)
        && let Some(quotient) = x.checked_div(*y)
    {
        return int(quotient);
    }
    let divisor = soft(b)?;
    if divisor.is_zero() {
        return Err(error("divide by zero"));
    }
    let quotient = soft(a)?.div(divisor);
    answer(host, quotient)
}

fn rem(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (a, b) = (number(args, 1)?, number(args, 2)?);
    if let (Number::Int(x), Number::Int(y)) = (a, b) {
        if *y == 0 {
            return Err(error("modulo by zero"));
        }
        return int(x.checked_rem(*y).unwrap_or(0));
    }
    let (a, b) = (soft(a)?, soft(b)?);
    if !a.is_int() || !b.is_int() {
        return Err(error("modulo on floating-point number"));
    }
    let (a, b) = (big(a)?, big(b)?);
    // OPA looks at the lowest 64 bits of the divisor only.
    if (&b & BigInt::from(u64::MAX)) == BigInt::ZERO {
        return Err(error("modulo by zero"));
    }
    host.charge(usize::try_from(a.bits() / 8).unwrap_or(usize::MAX))?;
    Ok(Some(Value::Number(from_big(host, &(a % b))?)))
}

fn big(f: Soft) -> Result<BigInt, Failure> {
    f.to_big().ok_or_else(|| too_large("number"))
}

fn abs(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let n = number(args, 1)?;
    if let Number::Int(i) = n
        && let Some(i) = i.checked_abs()
    {
        return int(i);
    }
    let f = soft(n)?.abs();
    answer(host, Some(f))
}

fn round(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let n = number(args, 1)?;
    if let Number::Int(i) = n {
        return int(*i);
    }
    let half = Soft::from_i64(1)
        .div(Soft::from_i64(2))
        .ok_or_else(|| too_large("number"))?;
    let f = soft(n)?;
    let moved = if f.is_negative() { f.sub(half) } else { f.add(half) };
    let whole = big(moved.ok_or_else(|| too_large("number"))?)?;
    Ok(Some(Value::Number(from_big(host, &whole)?)))
}

/// The part before the point, unless the number is an integer, which is the answer.
fn whole(host: &mut dyn Host, n: &Number) -> Result<Result<Number, BigInt>, Failure> {
    if let Number::Int(i) = n {
        return Ok(Ok(Number::Int(*i)));
    }
    let f = soft(n)?;
    let whole = big(f)?;
    if f.is_int() {
        return Ok(Ok(from_big(host, &whole)?));
    }
    Ok(Err(whole))
}

fn ceil(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let n = match whole(host, number(args, 1)?)? {
        Ok(n) => n,
        // OPA takes the sign from the part before the point, which has none between -1 and 0.
        Err(i) if i < BigInt::ZERO => from_big(host, &i)?,
        Err(i) => from_big(host, &(i + 1))?,
    };
    Ok(Some(Value::Number(n)))
}

fn floor(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let n = match whole(host, number(args, 1)?)? {
        Ok(n) => n,
        Err(i) if i < BigInt::ZERO => from_big(host, &(i - 1))?,
        Err(i) => from_big(host, &i)?,
    };
    Ok(Some(Value::Number(n)))
}
