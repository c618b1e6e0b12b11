//! The floating point OPA computes with: 64 bits of mantissa, half to even, an exponent of 32 bits.
//!
//! Everything here is bounded by a constant, whatever the exponent: powers of five beyond a few digits are taken at
//! 256 bits, far below what 64-bit rounding can see.

use num_bigint::BigUint;
use std::cmp::Ordering;

/// Sign, mantissa (top bit set, or 0 for zero) and power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Soft {
    negative: bool,
    mantissa: u64,
    exponent: i64,
}

/// Exponents beyond this are refused (above) or zero (below).
const MAX_EXPONENT: i64 = i32::MAX as i64;
/// Integers with more digits than this are not written out.
const MAX_DIGITS: i64 = 1_000_000;
/// Integers with more bits than this are not computed with as such.
const MAX_BITS: i64 = 400_000;
/// Digits that fit 64 bits.
const FEW: i64 = 19;
/// Digits of a decimal that are looked at one by one; further ones only say "not zero".
const DIGITS_READ: usize = 800;

impl Soft {
    pub(crate) fn zero(negative: bool) -> Soft {
        Soft {
            negative,
            mantissa: 0,
            exponent: 0,
        }
    }

    pub(crate) fn from_i64(i: i64) -> Soft {
        Soft::from_u64(i < 0, i.unsigned_abs())
    }

    fn from_u64(negative: bool, m: u64) -> Soft {
        if m == 0 {
            return Soft::zero(negative);
        }
        let shift = m.leading_zeros();
        Soft {
            negative,
            mantissa: m << shift,
            exponent: -i64::from(shift),
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    pub(crate) fn is_negative(self) -> bool {
        self.negative
    }

    pub(crate) fn abs(self) -> Soft {
        Soft {
            negative: false,
            ..self
        }
    }

    fn negate(self) -> Soft {
        Soft {
            negative: !self.negative,
            ..self
        }
    }

    /// Rounds `m * 2^exponent` (plus a little more if `sticky`) to 64 bits.
    fn round(negative: bool, m: u128, exponent: i64, sticky: bool) -> Option<Soft> {
        if m == 0 {
            return Some(Soft::zero(negative));
        }
        let shift = m.leading_zeros();
        let (m, mut exponent) = (m << shift, exponent - i64::from(shift) + 64);
        let mut mantissa = (m >> 64) as u64;
        let rest = m as u64;
        const HALF: u64 = 1 << 63;
        let up = match rest.cmp(&HALF) {
            Ordering::Greater => true,
            Ordering::Equal => sticky || mantissa & 1 == 1,
            Ordering::Less => false,
        };
        if up {
            match mantissa.checked_add(1) {
                Some(m) => mantissa = m,
                None => {
                    mantissa = HALF;
                    exponent += 1;
                }
            }
        }
        Soft {
            negative,
            mantissa,
            exponent,
        }
        .bounded()
    }

    fn bounded(self) -> Option<Soft> {
        if self.exponent > MAX_EXPONENT {
            return None;
        }
        Some(if self.exponent < -MAX_EXPONENT {
            Soft::zero(self.negative)
        } else {
            self
        })
    }

    /// [`Soft::from_decimal`] of digits that fit 64 bits and a small power; `None`: it is another.
    fn from_few(negative: bool, digits: impl Iterator<Item = u8>, point: i64) -> Option<Soft> {
        let (mut m, mut count) = (0u64, 0i64);
        for d in digits {
            count += 1;
            if count > FEW {
                return None;
            }
            m = m * 10 + u64::from(d - b'0');
        }
        let power = point.checked_sub(count)?;
        let five = 5u64.checked_pow(u32::try_from(power.unsigned_abs()).ok()?)?;
        let n = if power >= 0 {
            Soft::round(negative, u128::from(m) * u128::from(five), 0, false)?
        } else {
            Soft::from_u64(negative, m).div(Soft::from_u64(false, five))?
        };
        Some(Soft {
            exponent: n.exponent + power,
            ..n
        })
    }

    /// 0.d1d2d3... times ten to `point`.
    pub(crate) fn from_decimal(negative: bool, digits: impl Iterator<Item = u8> + Clone, point: i64) -> Option<Soft> {
        if let Some(few) = Soft::from_few(negative, digits.clone(), point) {
            return few.bounded();
        }
        let mut text: Vec<u8> = Vec::with_capacity(32);
        let mut sticky = false;
        for d in digits {
            if text.len() < DIGITS_READ {
                text.push(d);
            } else if d != b'0' {
                sticky = true;
                break;
            }
        }
        while text.last() == Some(&b'0') && !sticky {
            text.pop();
        }
        // A sure upper bound first, so that nothing below sees a vast exponent.
        if point > MAX_EXPONENT / 3 {
            return None;
        }
        if point < -MAX_EXPONENT / 3 {
            return Some(Soft::zero(negative));
        }
        let power = point - text.len() as i64;
        let m = BigUint::parse_bytes(&text, 10)?;
        // One more bit of room so that the sticky bit stands below everything.
        let m = (m << 2u8) + u8::from(sticky);
        let five = Wide::power_of_five(power.unsigned_abs());
        let wide = Wide {
            mantissa: m,
            exponent: -2,
        };
        let n = if power >= 0 {
            wide.times(&five)
        } else {
            wide.over(&five)
        };
        n.soft(negative, power)
    }

    pub(crate) fn add(self, other: Soft) -> Option<Soft> {
        if self.is_zero() {
            return Some(if other.is_zero() {
                Soft::zero(self.negative && other.negative)
            } else {
                other
            });
        }
        if other.is_zero() {
            return Some(self);
        }
        let (a, b) = if (self.exponent, self.mantissa) >= (other.exponent, other.mantissa) {
            (self, other)
        } else {
            (other, self)
        };
        // 63 bits of room below, one above for the carry.
        let big = u128::from(a.mantissa) << 63;
        let small = u128::from(b.mantissa) << 63;
        let distance = a.exponent - b.exponent;
        let (shifted, sticky) = if distance >= 128 {
            (0, true)
        } else {
            let shifted = small >> distance;
            (shifted, shifted << distance != small)
        };
        let exponent = a.exponent - 63;
        if a.negative == b.negative {
            return Soft::round(a.negative, big + shifted, exponent, sticky);
        }
        let difference = big - shifted - u128::from(sticky);
        if difference == 0 && !sticky {
            return Some(Soft::zero(false));
        }
        Soft::round(a.negative, difference, exponent, sticky)
    }

    pub(crate) fn sub(self, other: Soft) -> Option<Soft> {
        if other.is_zero() {
            // The sign of a zero counts only against another zero.
            return if self.is_zero() {
                Some(Soft::zero(self.negative && !other.negative))
            } else {
                Some(self)
            };
        }
        self.add(other.negate())
    }

    pub(crate) fn mul(self, other: Soft) -> Option<Soft> {
        let m = u128::from(self.mantissa) * u128::from(other.mantissa);
        Soft::round(
            self.negative != other.negative,
            m,
            self.exponent + other.exponent,
            false,
        )
    }

    /// The divisor must not be zero.
    pub(crate) fn div(self, other: Soft) -> Option<Soft> {
        let negative = self.negative != other.negative;
        if self.is_zero() {
            return Some(Soft::zero(negative));
        }
        let (n, d) = (u128::from(self.mantissa) << 64, u128::from(other.mantissa));
        let (q, r) = (n.checked_div(d)?, n.checked_rem(d)?);
        // Two bits more, so that there is always one to round by.
        let (q2, r2) = ((r << 2).checked_div(d)?, (r << 2).checked_rem(d)?);
        Soft::round(negative, (q << 2) | q2, self.exponent - other.exponent - 66, r2 != 0)
    }

    /// Has no fraction.
    pub(crate) fn is_int(self) -> bool {
        self.is_zero() || self.exponent >= 0 || i64::from(self.mantissa.trailing_zeros()) >= -self.exponent
    }

    /// Towards zero, as an integer; `None` when it has too many digits to be handled.
    pub(crate) fn to_big(self) -> Option<num_bigint::BigInt> {
        let m = if self.exponent >= 0 {
            if self.exponent > MAX_BITS {
                return None;
            }
            BigUint::from(self.mantissa) << self.exponent.unsigned_abs()
        } else {
            BigUint::from(
                u32::try_from(-self.exponent)
                    .ok()
                    .and_then(|s| self.mantissa.checked_shr(s))
                    .unwrap_or(0),
            )
        };
        let sign = if self.negative {
            num_bigint::Sign::Minus
        } else {
            num_bigint::Sign::Plus
        };
        Some(num_bigint::BigInt::from_biguint(sign, m))
    }

    /// As OPA writes results: an integer in plain digits; else the shortest text that reads back, with an exponent
    /// below 1e-4 and from 1e6 up. `None`: an integer with too many digits.
    pub(crate) fn text(self) -> Option<String> {
        let sign = if self.negative { "-" } else { "" };
        if self.is_zero() {
            return Some(format!("{sign}0"));
        }
        if self.is_int() && self.exponent <= 0 {
            let shift = u32::try_from(-self.exponent).ok()?;
            return Some(format!("{sign}{}", self.mantissa.checked_shr(shift)?));
        }
        let (digits, point) = self.shortest()?;
        let mut out = String::from(sign);
        if self.is_int() {
            if point > MAX_DIGITS {
                return None;
            }
            out.push_str(&digits);
            let zeros = usize::try_from(point).ok()?.saturating_sub(digits.len());
            out.extend(std::iter::repeat_n('0', zeros));
            return Some(out);
        }
        let places = digits.len() as i64;
        let limit = if 6 > places && places >= point { places } else { 6 };
        let exponent = point - 1;
        if exponent < -4 || exponent >= limit {
            let (first, rest) = digits.split_at_checked(1)?;
            out.push_str(first);
            if !rest.is_empty() {
                out.push('.');
                out.push_str(rest);
            }
            let sign = if exponent < 0 { '-' } else { '+' };
            out.push_str(&format!("e{sign}{:02}", exponent.unsigned_abs()));
            return Some(out);
        }
        match usize::try_from(point) {
            Ok(before) if before > 0 => {
                let (whole, fraction) = digits.split_at_checked(before)?;
                out.push_str(whole);
                out.push('.');
                out.push_str(fraction);
            }
            _ => {
                out.push_str("0.");
                out.extend(std::iter::repeat_n('0', usize::try_from(-point).ok()?));
                out.push_str(&digits);
            }
        }
        Some(out)
    }

    /// Fewest digits between the two halfway points, and the place of the point before the first.
    fn shortest(self) -> Option<(String, i64)> {
        let double = u128::from(self.mantissa) << 1;
        let even = self.mantissa & 1 == 0;
        let (digits, point, exact) = decimal(double, self.exponent - 1)?;
        let (lower, ..) = decimal(double - 1, self.exponent - 1)?;
        let (upper, ..) = decimal(double + 1, self.exponent - 1)?;
        for (i, &m) in digits.iter().enumerate() {
            let l = lower.get(i).copied().unwrap_or(b'0');
            let u = upper.get(i).copied().unwrap_or(b'0');
            let down = l != m || (even && exact && i + 1 == lower.len());
            let up = m != u && (even || m + 1 < u || !exact || i + 1 < upper.len());
            if !down && !up {
                continue;
            }
            let next = digits.get(i + 1).copied().unwrap_or(b'0');
            let tie = next == b'5' && exact && digits.len() == i + 2;
            let round_up = match (down, up) {
                (true, true) if tie => m & 1 == 1,
                (true, true) => next >= b'5',
                (false, _) => true,
                _ => false,
            };
            let kept = digits.get(..=i)?.to_vec();
            return Some(finish(kept, round_up, point));
        }
        Some(finish(digits, false, point))
    }
}

/// Rounds the kept digits up if asked and drops zeros at the end.
fn finish(mut digits: Vec<u8>, up: bool, mut point: i64) -> (String, i64) {
    if up {
        loop {
            match digits.pop() {
                Some(b'9') => {}
                Some(d) => {
                    digits.push(d + 1);
                    break;
                }
                None => {
                    digits.push(b'1');
                    point += 1;
                    break;
                }
            }
        }
    }
    while digits.len() > 1 && digits.last() == Some(&b'0') {
        digits.pop();
    }
    (digits.into_iter().map(char::from).collect(), point)
}

/// Decimal digits of `m * 2^exponent` without zeros at the end, the place of the point, and whether these are all.
fn decimal(m: u128, exponent: i64) -> Option<(Vec<u8>, i64, bool)> {
    const EXACT: i64 = 2_048;
    if exponent.abs() <= EXACT {
        let mut n = BigUint::from(m);
        let mut point = 0;
        if exponent >= 0 {
            n <<= exponent.unsigned_abs();
        } else {
            n *= BigUint::from(5u8).pow(u32::try_from(-exponent).ok()?);
            point = exponent;
        }
        let mut digits = n.to_string().into_bytes();
        point += digits.len() as i64;
        while digits.len() > 1 && digits.last() == Some(&b'0') {
            digits.pop();
        }
        return Some((digits, point, true));
    }
    // Some 60 digits are more than anybody looks at.
    let bits = 128 - i64::from(m.leading_zeros()) + exponent;
    let power = 60 - bits * 30_103 / 100_000;
    let five = Wide::power_of_five(power.unsigned_abs());
    let wide = Wide {
        mantissa: BigUint::from(m),
        exponent,
    };
    let n = if power >= 0 {
        wide.times(&five)
    } else {
        wide.over(&five)
    };
    let shift = n.exponent + power;
    let whole = if shift >= 0 {
        n.mantissa << shift.unsigned_abs().min(1_000)
    } else {
        n.mantissa >> shift.unsigned_abs()
    };
    let digits = whole.to_string().into_bytes();
    let point = digits.len() as i64 - power;
    Some((digits, point, false))
}

/// A float of up to a few hundred bits, truncating.
#[derive(Clone)]
struct Wide {
    mantissa: BigUint,
    exponent: i64,
}

const WIDE_BITS: u64 = 320;

impl Wide {
    fn power_of_five(n: u64) -> Wide {
        let mut out = Wide {
            mantissa: BigUint::from(1u8),
            exponent: 0,
        };
        let mut square = Wide {
            mantissa: BigUint::from(5u8),
            exponent: 0,
        };
        let mut n = n;
        while n > 0 {
            if n & 1 == 1 {
                out = out.times(&square).cut();
            }
            square = square.times(&square).cut();
            n >>= 1;
        }
        out
    }

    fn cut(mut self) -> Wide {
        let extra = self.mantissa.bits().saturating_sub(WIDE_BITS);
        self.mantissa >>= extra;
        self.exponent += extra as i64;
        self
    }

    fn times(&self, other: &Wide) -> Wide {
        Wide {
            mantissa: &self.mantissa * &other.mantissa,
            exponent: self.exponent + other.exponent,
        }
    }

    /// At least `WIDE_BITS` bits of quotient, the last one standing for the rest.
    fn over(&self, other: &Wide) -> Wide {
        let shift = WIDE_BITS + other.mantissa.bits();
        let n = &self.mantissa << shift;
        let (q, r) = num_integer::Integer::div_rem(&n, &other.mantissa);
        let rest = u8::from(r.bits() > 0);
        Wide {
            mantissa: (q << 1u8) + rest,
            exponent: self.exponent - other.exponent - shift as i64 - 1,
        }
    }

    /// Rounded to 64 bits, times two to `power` more.
    fn soft(self, negative: bool, power: i64) -> Option<Soft> {
        let extra = self.mantissa.bits().saturating_sub(128);
        let top = &self.mantissa >> extra;
        let sticky = (&top << extra) != self.mantissa;
        let m = u128::try_from(top).ok()?;
        // All 128 bits are used or the value is exact, so a sticky bit stands below the half.
        Soft::round(negative, m, self.exponent + extra as i64 + power, sticky)
    }
}
