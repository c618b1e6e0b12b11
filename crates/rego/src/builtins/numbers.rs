//! `numbers.range`, `numbers.range_step`, `rand.intn`.

use super::bits::integer;
use super::operand::{error, int, string, too_large};
use super::{Answer, Failure, Host, Table};
use crate::number::Number;
use crate::value::Value;
use num_bigint::BigInt;

pub(crate) const TABLE: Table = &[
    ("numbers.range", range),
    ("numbers.range_step", range_step),
    ("rand.intn", intn),
];

/// Beyond 127 bits a range is not worth having.
fn bounded(i: &BigInt) -> Result<i128, Failure> {
    i128::try_from(i)
        .ok()
        .filter(|i| i.unsigned_abs() < 1 << 120)
        .ok_or_else(|| too_large("range"))
}

fn range(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (from, to) = (integer(args, 1)?, integer(args, 2)?);
    numbers(host, bounded(&from)?, bounded(&to)?, 1)
}

fn range_step(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (from, to, step) = (integer(args, 1)?, integer(args, 2)?, integer(args, 3)?);
    if step <= BigInt::ZERO {
        return Err(error("numbers.range_step: step must be a positive integer"));
    }
    let step = i128::try_from(&step).unwrap_or(i128::MAX);
    numbers(host, bounded(&from)?, bounded(&to)?, step)
}

fn numbers(host: &mut dyn Host, from: i128, to: i128, step: i128) -> Answer {
    let distance = from.abs_diff(to);
    let count = distance.checked_div(step.unsigned_abs()).unwrap_or(0).saturating_add(1);
    let count = usize::try_from(count).map_err(|_| too_large("range"))?;
    host.charge(count.saturating_mul(size_of::<Value>()))?;
    let mut out = Vec::with_capacity(count);
    let mut at = from;
    for i in 0..count {
        out.push(Value::Number(match i64::try_from(at) {
            Ok(n) => Number::Int(n),
            Err(_) => {
                host.charge(64)?;
                Number::from_valid(&at.to_string())
            }
        }));
        if i % 4096 == 4095 {
            host.charge(0)?;
        }
        at = if from <= to {
            at.saturating_add(step)
        } else {
            at.saturating_sub(step)
        };
    }
    Ok(Some(Value::array(out)))
}

fn intn(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let key = string(args, 1)?;
    let n = int(args, 2)?.unsigned_abs();
    let random = host.random(&format!("rand.intn {key}-{n}"));
    // The bias of the remainder is below anything a policy could see.
    let i = i64::try_from(random.checked_rem(n).unwrap_or(0)).unwrap_or(0);
    Ok(Some(Value::from(i)))
}
