//! Algorithms of signatures and keys, with the numbers Go gives them.

use super::der::{Der, NULL, OBJECT, Oid, SEQUENCE, fields};

/// An algorithm's identifier: which, and its parameters as they are written.
pub(crate) struct Identifier {
    pub(crate) oid: Oid,
    pub(crate) parameters: Vec<u8>,
}

/// Reads what stands within an identifier's sequence.
///
/// # Errors
/// In Go's words.
pub(crate) fn identifier(mut der: Der<'_>) -> Result<Identifier, String> {
    let oid = der.oid().ok_or("x509: malformed OID")?;
    let parameters = match der.is_empty() {
        true => Vec::new(),
        false => der.any().ok_or("x509: malformed parameters")?.whole.to_vec(),
    };
    Ok(Identifier { oid, parameters })
}

/// What hashes the text that is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Rsa(Hash),
    RsaPss(Hash),
    Ecdsa(Hash),
    Ed25519,
    /// MD5 and SHA-1, whose certificates Go does not trust; DSA; unknown ones.
    None,
}

/// A signature's algorithm: its number and how it is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed {
    pub(crate) number: i64,
    pub(crate) scheme: Scheme,
}

/// Numbers of `x509.SignatureAlgorithm`.
const SIGNATURES: &[(&[u32], i64, Scheme)] = &[
    (&[1, 2, 840, 113_549, 1, 1, 4], 2, Scheme::None),
    (&[1, 2, 840, 113_549, 1, 1, 5], 3, Scheme::None),
    (&[1, 3, 14, 3, 2, 29], 3, Scheme::None),
    (&[1, 2, 840, 113_549, 1, 1, 11], 4, Scheme::Rsa(Hash::Sha256)),
    (&[1, 2, 840, 113_549, 1, 1, 12], 5, Scheme::Rsa(Hash::Sha384)),
    (&[1, 2, 840, 113_549, 1, 1, 13], 6, Scheme::Rsa(Hash::Sha512)),
    (&[1, 2, 840, 10_040, 4, 3], 7, Scheme::None),
    (&[2, 16, 840, 1, 101, 3, 4, 3, 2], 8, Scheme::None),
    (&[1, 2, 840, 10_045, 4, 1], 9, Scheme::None),
    (&[1, 2, 840, 10_045, 4, 3, 2], 10, Scheme::Ecdsa(Hash::Sha256)),
    (&[1, 2, 840, 10_045, 4, 3, 3], 11, Scheme::Ecdsa(Hash::Sha384)),
    (&[1, 2, 840, 10_045, 4, 3, 4], 12, Scheme::Ecdsa(Hash::Sha512)),
    (ED25519, 16, Scheme::Ed25519),
];

pub(crate) const ED25519: &[u32] = &[1, 3, 101, 112];
const RSA_PSS: &[u32] = &[1, 2, 840, 113_549, 1, 1, 10];
const MGF1: &[u32] = &[1, 2, 840, 113_549, 1, 1, 8];

const UNKNOWN: Signed = Signed {
    number: 0,
    scheme: Scheme::None,
};

/// The algorithm of a signature.
pub(crate) fn signature(id: &Identifier) -> Signed {
    if id.oid == RSA_PSS {
        return pss(&id.parameters).unwrap_or(UNKNOWN);
    }
    if id.oid == ED25519 && !id.parameters.is_empty() {
        return UNKNOWN;
    }
    let found = SIGNATURES.iter().find(|s| s.0 == id.oid);
    found.map_or(UNKNOWN, |s| Signed {
        number: s.1,
        scheme: s.2,
    })
}

/// The parameters of RSA-PSS, of which three sets are known: the mask's hash that of the text, the salt as long.
fn pss(parameters: &[u8]) -> Option<Signed> {
    let mut whole = Der(parameters);
    let mut set = whole.read(SEQUENCE)?;
    let part = |der: &mut Der<'_>, number: u8| {
        let mut explicit = der.read(fields(number))?;
        identifier(explicit.read(SEQUENCE)?).ok()
    };
    let hash = part(&mut set, 0)?;
    let mask = part(&mut set, 1)?;
    let salt = set.read(fields(2))?.int()?;
    let trailer = match set.optional(fields(3))? {
        Some(mut der) => der.int()?,
        None => 1,
    };
    let mask_hash = identifier(Der(&mask.parameters).read(SEQUENCE)?).ok()?;
    let plain = |id: &Identifier| id.parameters.is_empty() || id.parameters == NULL;
    if !plain(&hash) || !plain(&mask_hash) || mask.oid != MGF1 || mask_hash.oid != hash.oid || trailer != 1 {
        return None;
    }
    let (number, hash) = match (hash.oid.as_slice(), salt) {
        ([2, 16, 840, 1, 101, 3, 4, 2, 1], 32) => (13, Hash::Sha256),
        ([2, 16, 840, 1, 101, 3, 4, 2, 2], 48) => (14, Hash::Sha384),
        ([2, 16, 840, 1, 101, 3, 4, 2, 3], 64) => (15, Hash::Sha512),
        _ => return None,
    };
    Some(Signed {
        number,
        scheme: Scheme::RsaPss(hash),
    })
}

/// Curves of ECDSA keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P224,
    P256,
    P384,
    P521,
}

impl Curve {
    /// The curve an identifier names, given as DER.
    pub(crate) fn of(der: &[u8]) -> Option<Curve> {
        let mut der = Der(der);
        if !der.next_is(OBJECT) {
            return None;
        }
        Curve::named(&der.oid()?)
    }

    pub(crate) fn named(oid: &[u32]) -> Option<Curve> {
        Some(match oid {
            [1, 3, 132, 0, 33] => Curve::P224,
            [1, 2, 840, 10_045, 3, 1, 7] => Curve::P256,
            [1, 3, 132, 0, 34] => Curve::P384,
            [1, 3, 132, 0, 35] => Curve::P521,
            _ => return None,
        })
    }

    /// Bytes of a coordinate.
    pub(crate) fn size(self) -> usize {
        match self {
            Curve::P224 => 28,
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }

    /// The name in JSON keys.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Curve::P224 => "P-224",
            Curve::P256 => "P-256",
            Curve::P384 => "P-384",
            Curve::P521 => "P-521",
        }
    }
}
