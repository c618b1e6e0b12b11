//! Names of subjects and issuers.

use super::der::{Der, Oid, SEQUENCE, SET};

/// One part of a name: which, and what it says.
pub(crate) struct Attribute {
    pub(crate) kind: Oid,
    pub(crate) value: String,
}

/// A name's parts in their order.
pub(crate) type Name = Vec<Attribute>;

impl Attribute {
    /// The last number of a well-known attribute (2.5.4.x).
    pub(crate) fn known(&self) -> Option<u32> {
        match self.kind.as_slice() {
            [2, 5, 4, number] => Some(*number),
            _ => None,
        }
    }
}

/// Reads a name.
///
/// # Errors
/// In Go's words.
pub(crate) fn read(der: &[u8]) -> Result<Name, String> {
    let fault = |what: &str| format!("x509: invalid RDNSequence{what}");
    let mut rest = Der(der);
    let mut sets = rest.read(SEQUENCE).ok_or_else(|| fault(""))?;
    let mut out = Name::new();
    while !sets.is_empty() {
        let mut set = sets.read(SET).ok_or_else(|| fault(""))?;
        while !set.is_empty() {
            let mut pair = set.read(SEQUENCE).ok_or_else(|| fault(": invalid attribute"))?;
            let kind = pair.oid().ok_or_else(|| fault(": invalid attribute type"))?;
            let value = pair.any().ok_or_else(|| fault(": invalid attribute value"))?;
            let value =
                text(value.tag, value.content).map_err(|e| fault(&format!(": invalid attribute value: {e}")))?;
            out.push(Attribute { kind, value });
        }
    }
    Ok(out)
}

fn is_printable(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(&b)
}

fn ascii(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}

/// The text of one of the string types.
fn text(tag: u8, bytes: &[u8]) -> Result<String, String> {
    let checked = |fine: bool, kind: &str| match fine {
        true => Ok(ascii(bytes)),
        false => Err(format!("invalid {kind}")),
    };
    match tag {
        // T61String, read as Latin-1.
        20 => Ok(ascii(bytes)),
        19 => checked(bytes.iter().all(|b| is_printable(*b)), "PrintableString"),
        12 => String::from_utf8(bytes.to_vec()).map_err(|_| "invalid UTF-8 string".to_string()),
        22 => checked(bytes.is_ascii(), "IA5String"),
        18 => checked(bytes.iter().all(|b| b.is_ascii_digit() || *b == b' '), "NumericString"),
        30 => wide(bytes).ok_or_else(|| "invalid BMPString".to_string()),
        _ => Err(format!("unsupported string type: {tag}")),
    }
}

/// A BMPString: two bytes a character, a zero at the end goes.
fn wide(bytes: &[u8]) -> Option<String> {
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let bytes = bytes.strip_suffix(&[0, 0]).unwrap_or(bytes);
    let mut out = String::new();
    for pair in bytes.chunks(2) {
        let [high, low] = pair else {
            return None;
        };
        let code = u32::from(*high) << 8 | u32::from(*low);
        if matches!(code, 0xfffe | 0xffff | 0xfdd0..=0xfdef) {
            return None;
        }
        out.push(char::from_u32(code)?);
    }
    Some(out)
}
