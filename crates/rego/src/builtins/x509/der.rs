//! DER as Go's `cryptobyte` reads it: minimal lengths and integers, tags of one byte.

/// An object identifier's numbers.
pub(crate) type Oid = Vec<u32>;

pub(crate) const BOOLEAN: u8 = 1;
pub(crate) const INTEGER: u8 = 2;
pub(crate) const BITS: u8 = 3;
pub(crate) const OCTETS: u8 = 4;
pub(crate) const NULL: &[u8] = &[5, 0];
pub(crate) const OBJECT: u8 = 6;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// The longest integer that is read, in bytes: writing longer ones as decimals takes long.
pub(crate) const INTEGER_BYTES: usize = 8192;
/// What is said of longer ones; it ends the evaluation.
pub(crate) const TOO_LARGE: &str = "a number of the certificate or key is too large";

/// The tag of a field with a number of its own.
pub(crate) const fn field(number: u8) -> u8 {
    0x80 | number
}

/// The same where the field holds further elements.
pub(crate) const fn fields(number: u8) -> u8 {
    0xa0 | number
}

/// What is left to read.
#[derive(Clone, Copy, Default)]
pub(crate) struct Der<'a>(pub(crate) &'a [u8]);

/// An element: its tag, its content, and both with its length.
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) whole: &'a [u8],
}

impl<'a> Der<'a> {
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn next_is(self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    /// The next element.
    pub(crate) fn any(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (length, content) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b));
                // Nothing longer than it must be.
                if length < 128 || bytes.first() == Some(&0) {
                    return None;
                }
                (length, rest)
            }
            _ => return None,
        };
        let (content, after) = content.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len() - after.len())?;
        self.0 = after;
        Some(Element { tag, content, whole })
    }

    fn tagged(&mut self, tag: u8) -> Option<Element<'a>> {
        match self.next_is(tag) {
            true => self.any(),
            false => None,
        }
    }

    /// The content of the next element, which must have a tag.
    pub(crate) fn read(&mut self, tag: u8) -> Option<Der<'a>> {
        self.tagged(tag).map(|e| Der(e.content))
    }

    /// The whole next element, which must have a tag.
    pub(crate) fn whole(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.tagged(tag).map(|e| e.whole)
    }

    /// The content of the next element if it has a tag; nothing at all if it cannot be read.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<Option<Der<'a>>> {
        match self.next_is(tag) {
            true => self.read(tag).map(Some),
            false => Some(None),
        }
    }

    /// The bytes of an integer.
    pub(crate) fn integer(&mut self) -> Option<&'a [u8]> {
        self.integer_tagged(INTEGER)
    }

    fn integer_tagged(&mut self, tag: u8) -> Option<&'a [u8]> {
        let bytes = self.read(tag)?.0;
        match bytes {
            [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => None,
            _ => Some(bytes),
        }
    }

    /// An integer of 64 bits.
    pub(crate) fn int(&mut self) -> Option<i64> {
        self.int_tagged(INTEGER)
    }

    pub(crate) fn int_tagged(&mut self, tag: u8) -> Option<i64> {
        let bytes = self.integer_tagged(tag)?;
        if bytes.len() > 8 {
            return None;
        }
        let start = if bytes.first()? & 0x80 == 0 { 0 } else { -1 };
        Some(bytes.iter().fold(start, |n: i64, b| n << 8 | i64::from(*b)))
    }

    pub(crate) fn boolean(&mut self) -> Option<bool> {
        match self.read(BOOLEAN)?.0 {
            [0] => Some(false),
            [0xff] => Some(true),
            _ => None,
        }
    }

    /// Bits as bytes, and how many of the last byte are padding.
    pub(crate) fn bits(&mut self) -> Option<(&'a [u8], u8)> {
        let (&padding, bytes) = self.read(BITS)?.0.split_first()?;
        let last = bytes.last().copied();
        let fine = padding <= 7 && last.map_or(padding == 0, |b| b.trailing_zeros() >= u32::from(padding));
        fine.then_some((bytes, padding))
    }

    /// Bits as bytes with the padding before them.
    pub(crate) fn right_bits(&mut self) -> Option<Vec<u8>> {
        let (bytes, padding) = self.bits()?;
        let mut carry = 0u16;
        let shifted = bytes.iter().map(|b| {
            let both = carry << 8 | u16::from(*b);
            carry = u16::from(*b);
            u8::try_from(both >> padding & 0xff).unwrap_or(0)
        });
        Some(shifted.collect())
    }

    pub(crate) fn oid(&mut self) -> Option<Oid> {
        let bytes = self.read(OBJECT)?.0;
        let numbers = base128(bytes)?;
        let (&first, rest) = numbers.split_first()?;
        // The first number holds two.
        let (a, b) = match first {
            0..80 => (first / 40, first % 40),
            _ => (2, first - 80),
        };
        Some([a, b].into_iter().chain(rest.iter().copied()).collect())
    }
}

/// Numbers of seven bits a byte, each below 2³¹.
fn base128(bytes: &[u8]) -> Option<Vec<u32>> {
    let mut out = Vec::new();
    let mut number: Option<u32> = None;
    for b in bytes {
        let so_far = match number {
            None if *b == 0x80 => return None,
            None => 0,
            Some(n) if n >= 1 << 24 => return None,
            Some(n) => n,
        };
        let n = so_far << 7 | u32::from(b & 0x7f);
        number = (b & 0x80 != 0).then_some(n);
        if number.is_none() {
            out.push(n);
        }
    }
    number.is_none().then_some(out)
}

/// `2.5.29.17`.
pub(crate) fn oid_text(oid: &[u32]) -> String {
    let numbers: Vec<String> = oid.iter().map(u32::to_string).collect();
    numbers.join(".")
}

/// The same of an identifier's bytes, whose numbers may be of any size; nothing where they are none.
pub(crate) fn any_oid_text(bytes: &[u8]) -> Option<String> {
    use num_bigint::BigUint;
    let mut out: Vec<BigUint> = Vec::new();
    let mut number: Option<BigUint> = None;
    for b in bytes {
        if number.is_none() && *b == 0x80 {
            return None;
        }
        let n = (number.unwrap_or_default() << 7u32) | BigUint::from(b & 0x7f);
        number = None;
        match b & 0x80 != 0 {
            true => number = Some(n),
            false => out.push(n),
        }
    }
    if number.is_some() {
        return None;
    }
    let (first, rest) = out.split_first()?;
    let two = if *first < BigUint::from(80u32) {
        format!("{}.{}", first / 40u32, first % 40u32)
    } else {
        format!("2.{}", first - 80u32)
    };
    Some(rest.iter().fold(two, |text, n| format!("{text}.{n}")))
}
