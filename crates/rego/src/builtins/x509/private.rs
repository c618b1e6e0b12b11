//! Private keys: read from PKCS #1, PKCS #8 and SEC 1, and shown as Go's JSON writer or as a JSON key.

use super::algorithm::{self, Curve};
use super::der::{BITS, Der, INTEGER_BYTES, OBJECT, OCTETS, SEQUENCE, TOO_LARGE, fields, oid_text};
use super::public::{self, Public, coordinates};
use super::value::{bytes, number, unsigned};
use crate::value::Value;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use num_bigint::BigUint;
use num_integer::Integer;

/// The largest RSA modulus that is read, in bits.
const RSA_BITS: u64 = 16_384;

pub(crate) enum Private {
    Rsa(Box<RsaKey>),
    Ecdsa {
        curve: Curve,
        secret: Vec<u8>,
        point: Vec<u8>,
    },
    Ed25519([u8; 32]),
    X25519([u8; 32]),
}

pub(crate) struct RsaKey {
    n: BigUint,
    e: i64,
    d: BigUint,
    primes: Vec<BigUint>,
    dp: BigUint,
    dq: BigUint,
    inverse: BigUint,
}

fn one() -> BigUint {
    BigUint::from(1u32)
}

/// A positive integer.
fn positive(der: &mut Der<'_>) -> Result<BigUint, String> {
    let bytes = der.integer().ok_or(STRUCTURE)?;
    if bytes.len() > INTEGER_BYTES {
        return Err(TOO_LARGE.into());
    }
    if bytes.first().is_some_and(|b| b & 0x80 != 0) || bytes.iter().all(|b| *b == 0) {
        return Err("x509: private key contains zero or negative value".into());
    }
    Ok(BigUint::from_bytes_be(bytes))
}

/// What Go says of what is not shaped as wanted, shortened.
const STRUCTURE: &str = "asn1: structure error: tags don't match";

/// The one sequence a text is.
fn whole(der: &[u8]) -> Result<Der<'_>, String> {
    let mut rest = Der(der);
    let out = rest.read(SEQUENCE).ok_or(STRUCTURE)?;
    match rest.is_empty() {
        true => Ok(out),
        false => Err("asn1: syntax error: trailing data".into()),
    }
}

/// Reads PKCS #1.
///
/// # Errors
/// In Go's words, where they are short.
pub(crate) fn pkcs1(der: &[u8]) -> Result<Private, String> {
    let mut key = whole(der)?;
    let failed = |form: &str| format!("x509: failed to parse private key (use {form} instead for this key format)");
    let version = key.int().ok_or(STRUCTURE)?;
    if key.next_is(OCTETS) {
        return Err(failed("ParseECPrivateKey"));
    }
    if key.next_is(SEQUENCE) {
        return Err(failed("ParsePKCS8PrivateKey"));
    }
    let n = positive(&mut key)?;
    if n.bits() > RSA_BITS {
        return Err(TOO_LARGE.into());
    }
    let e = key.int().ok_or(STRUCTURE)?;
    let d = positive(&mut key)?;
    let mut primes = vec![positive(&mut key)?, positive(&mut key)?];
    let mut crt = Vec::new();
    while crt.len() < 3 && key.next_is(super::der::INTEGER) {
        crt.push(positive(&mut key)?);
    }
    if key.next_is(SEQUENCE) {
        let mut more = key.read(SEQUENCE).ok_or(STRUCTURE)?;
        while !more.is_empty() {
            let mut prime = more.read(SEQUENCE).ok_or(STRUCTURE)?;
            primes.push(positive(&mut prime)?);
            if primes.len() > 16 {
                return Err(TOO_LARGE.into());
            }
        }
    }
    if version > 1 {
        return Err("x509: unsupported private key version".into());
    }
    RsaKey::check(n, e, d, primes, crt).map(|k| Private::Rsa(Box::new(k)))
}

impl RsaKey {
    /// The key if its numbers belong together.
    fn check(n: BigUint, e: i64, d: BigUint, primes: Vec<BigUint>, crt: Vec<BigUint>) -> Result<RsaKey, String> {
        let fault = |what: &str| Err(format!("crypto/rsa: {what}"));
        if n.is_even() {
            return fault("public modulus is even");
        }
        if e < 2 || e % 2 == 0 || e > i64::from(i32::MAX) {
            return fault(match e {
                ..2 => "public exponent too small or negative",
                _ if e % 2 == 0 => "public exponent is even",
                _ => "public exponent too large",
            });
        }
        if primes.iter().any(|p| *p <= one()) || d >= n {
            return fault("invalid prime");
        }
        let [p, q, ..] = primes.as_slice() else {
            return fault("missing primes");
        };
        let (below_p, below_q) = (p - one(), q - one());
        let (mut dp, mut dq) = (&d % &below_p, &d % &below_q);
        let Some(mut inverse) = q.modinv(p) else {
            return fault("prime factors are not relatively prime");
        };
        if primes.len() == 2 {
            let e = BigUint::from(e.unsigned_abs());
            if p >= &n || q >= &n || !(p * q).is_multiple_of(&n) {
                return fault("p * q != n");
            }
            if let [given_dp, given_dq, given_inverse] = crt.as_slice() {
                if (*given_dp != dp) || (*given_dq != dq) {
                    return fault("invalid CRT exponent");
                }
                if given_inverse * q % p != one() || given_inverse >= p {
                    return fault("invalid CRT coefficient");
                }
                (dp, dq, inverse) = (given_dp.clone(), given_dq.clone(), given_inverse.clone());
            }
            if &dp * &e % &below_p != one() || &dq * &e % &below_q != one() {
                return fault("invalid CRT exponent");
            }
            let apart = if p > q { p - q } else { q - p };
            if apart.bits() as i128 <= i128::from(n.bits() / 2) - 100 {
                return fault("|p - q| too small");
            }
            if d.bits() <= n.bits() / 2 {
                return fault("d too small");
            }
        }
        Ok(RsaKey {
            n,
            e,
            d,
            primes,
            dp,
            dq,
            inverse,
        })
    }

    /// What is kept of further primes.
    fn further(&self) -> Value {
        let mut product: BigUint = self.primes.iter().take(2).product();
        let mut out = Vec::new();
        for prime in self.primes.iter().skip(2) {
            let coefficient = product.modinv(prime).unwrap_or_default();
            out.push(Value::record([
                ("Exp", unsigned(&(&self.d % (prime - one())))),
                ("Coeff", unsigned(&coefficient)),
                ("R", unsigned(&product)),
            ]));
            product *= prime;
        }
        Value::array(out)
    }
}

/// Reads PKCS #8.
///
/// # Errors
/// In Go's words, where they are short.
pub(crate) fn pkcs8(der: &[u8]) -> Result<Private, String> {
    let mut key = Der(der).read(SEQUENCE).ok_or(STRUCTURE)?;
    let failed = |form: &str| format!("x509: failed to parse private key (use {form} instead for this key format)");
    key.int().ok_or(STRUCTURE)?;
    if key.next_is(OCTETS) {
        return Err(failed("ParseECPrivateKey"));
    }
    if key.next_is(super::der::INTEGER) {
        return Err(failed("ParsePKCS1PrivateKey"));
    }
    let id = algorithm::identifier(key.read(SEQUENCE).ok_or(STRUCTURE)?).map_err(|_| STRUCTURE)?;
    let secret = key.read(OCTETS).ok_or(STRUCTURE)?.0;
    let raw = |name: &str| {
        if !id.parameters.is_empty() {
            return Err(format!("x509: invalid {name} private key parameters"));
        }
        let bytes = Der(secret)
            .read(OCTETS)
            .ok_or_else(|| format!("x509: invalid {name} private key: {STRUCTURE}"))?;
        let length = bytes.0.len();
        <[u8; 32]>::try_from(bytes.0).map_err(|_| format!("x509: invalid {name} private key length: {length}"))
    };
    match (public::algorithm(&id.oid), id.oid.as_slice()) {
        (1, _) => pkcs1(secret).map_err(|e| format!("x509: failed to parse RSA private key embedded in PKCS#8: {e}")),
        (3, _) => {
            let named = Der(&id.parameters).oid();
            sec1(secret, named.as_deref())
                .map_err(|e| format!("x509: failed to parse EC private key embedded in PKCS#8: {e}"))
        }
        (4, _) => raw("Ed25519").map(Private::Ed25519),
        (_, [1, 3, 101, 110]) => raw("X25519").map(Private::X25519),
        _ => Err(format!(
            "x509: PKCS#8 wrapping contained private key with unknown algorithm: {}",
            oid_text(&id.oid)
        )),
    }
}

/// What follows the head of a field with a number; its length does not matter to Go.
fn explicit(der: Der<'_>, number: u8) -> Option<Der<'_>> {
    let rest = der.0.strip_prefix(&[fields(number)])?;
    let (&length, rest) = rest.split_first()?;
    match length {
        0 => None,
        1..=0x7f => Some(Der(rest)),
        _ => rest.get(usize::from(length & 0x7f)..).map(Der),
    }
}

/// Reads SEC 1; the curve may be named outside.
///
/// # Errors
/// In Go's words, where they are short.
pub(crate) fn sec1(der: &[u8], named: Option<&[u32]>) -> Result<Private, String> {
    let fault = || format!("x509: failed to parse EC private key: {STRUCTURE}");
    let failed = |form: &str| format!("x509: failed to parse private key (use {form} instead for this key format)");
    let mut key = Der(der).read(SEQUENCE).ok_or_else(fault)?;
    let version = key.int().ok_or_else(fault)?;
    if key.next_is(SEQUENCE) {
        return Err(failed("ParsePKCS8PrivateKey"));
    }
    if key.next_is(super::der::INTEGER) {
        return Err(failed("ParsePKCS1PrivateKey"));
    }
    let secret = key.read(OCTETS).ok_or_else(fault)?.0;
    // What is optional and of another type counts as absent.
    let mut inner = None;
    if let Some(mut id) = explicit(key, 0)
        && id.next_is(OBJECT)
    {
        inner = Some(id.oid().ok_or_else(fault)?);
        key = id;
    }
    if let Some(mut point) = explicit(key, 1)
        && point.next_is(BITS)
        && point.bits().is_none()
    {
        return Err(fault());
    }
    if version != 1 {
        return Err(format!("x509: unknown EC private key version {version}"));
    }
    let curve = named.or(inner.as_deref()).and_then(Curve::named);
    let curve = curve.ok_or("x509: unknown elliptic curve")?;
    let size = curve.size();
    let extra = secret.len().saturating_sub(size);
    if secret.iter().take(extra).any(|b| *b != 0) {
        return Err("x509: invalid private key length".into());
    }
    let short = secret.get(extra..).unwrap_or_default();
    let zeros = std::iter::repeat_n(0, size - short.len());
    let secret: Vec<u8> = zeros.chain(short.iter().copied()).collect();
    let point = point(curve, &secret).ok_or("crypto/ecdsa: invalid private key")?;
    Ok(Private::Ecdsa { curve, secret, point })
}

/// The public point of a secret.
fn point(curve: Curve, secret: &[u8]) -> Option<Vec<u8>> {
    use p256::elliptic_curve::sec1::ToEncodedPoint;
    Some(match curve {
        Curve::P224 => p224::SecretKey::from_slice(secret)
            .ok()?
            .public_key()
            .to_encoded_point(false)
            .as_bytes()
            .to_vec(),
        Curve::P256 => p256::SecretKey::from_slice(secret)
            .ok()?
            .public_key()
            .to_encoded_point(false)
            .as_bytes()
            .to_vec(),
        Curve::P384 => p384::SecretKey::from_slice(secret)
            .ok()?
            .public_key()
            .to_encoded_point(false)
            .as_bytes()
            .to_vec(),
        Curve::P521 => p521::SecretKey::from_slice(secret)
            .ok()?
            .public_key()
            .to_encoded_point(false)
            .as_bytes()
            .to_vec(),
    })
}

fn ed25519_public(seed: &[u8; 32]) -> [u8; 32] {
    ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

impl Private {
    /// The fields of Go's structure.
    pub(crate) fn value(&self) -> Value {
        match self {
            Private::Rsa(k) => Value::record([
                ("N", unsigned(&k.n)),
                ("E", number(k.e)),
                ("D", unsigned(&k.d)),
                ("Primes", Value::array(k.primes.iter().map(unsigned).collect())),
                (
                    "Precomputed",
                    Value::record([
                        ("Dp", unsigned(&k.dp)),
                        ("Dq", unsigned(&k.dq)),
                        ("Qinv", unsigned(&k.inverse)),
                        ("CRTValues", k.further()),
                    ]),
                ),
            ]),
            Private::Ecdsa { secret, point, .. } => {
                let (x, y) = coordinates(point);
                Value::record([
                    ("Curve", Value::object(Vec::new())),
                    ("X", unsigned(&x)),
                    ("Y", unsigned(&y)),
                    ("D", unsigned(&BigUint::from_bytes_be(secret))),
                ])
            }
            Private::Ed25519(seed) => bytes(&[*seed, ed25519_public(seed)].concat()),
            Private::X25519(_) => Value::object(Vec::new()),
        }
    }

    /// The key as RFC 7517 writes it.
    ///
    /// # Errors
    /// Where it has no such form.
    pub(crate) fn json_key(&self) -> Result<Value, String> {
        let text = |b: &[u8]| Value::string(URL_SAFE_NO_PAD.encode(b));
        let big = |n: &BigUint| text(&n.to_bytes_be());
        match self {
            Private::Rsa(k) => {
                let [p, q] = k.primes.as_slice() else {
                    return Err(format!(
                        "failed to initialize *jwk.rsaPrivateKey from *rsa.PrivateKey: invalid number of primes in \
                         rsa.PrivateKey: need 0 to 2, but got {}",
                        k.primes.len()
                    ));
                };
                let e = BigUint::from(k.e.unsigned_abs());
                Ok(Value::record([
                    ("kty", Value::string("RSA")),
                    ("n", big(&k.n)),
                    ("e", big(&e)),
                    ("d", big(&k.d)),
                    ("p", big(p)),
                    ("q", big(q)),
                    ("dp", big(&k.dp)),
                    ("dq", big(&k.dq)),
                    ("qi", big(&k.inverse)),
                ]))
            }
            Private::Ecdsa { curve: Curve::P224, .. } => {
                Err("failed to initialize *jwk.ecdsaPrivateKey from *ecdsa.PrivateKey: unknown elliptic curve".into())
            }
            Private::Ecdsa { curve, secret, point } => {
                let (x, y) = point
                    .get(1..)
                    .unwrap_or_default()
                    .split_at_checked(curve.size())
                    .unwrap_or_default();
                Ok(Value::record([
                    ("kty", Value::string("EC")),
                    ("crv", Value::string(curve.name())),
                    ("x", text(x)),
                    ("y", text(y)),
                    ("d", text(secret)),
                ]))
            }
            Private::Ed25519(seed) => Ok(Value::record([
                ("kty", Value::string("OKP")),
                ("crv", Value::string("Ed25519")),
                ("x", text(&ed25519_public(seed))),
                ("d", text(seed)),
            ])),
            Private::X25519(secret) => {
                let public = curve25519_dalek::MontgomeryPoint::mul_base_clamped(*secret).to_bytes();
                Ok(Value::record([
                    ("kty", Value::string("OKP")),
                    ("crv", Value::string("X25519")),
                    ("x", text(&public)),
                    ("d", text(secret)),
                ]))
            }
        }
    }

    /// Whether a public key is this one's; nothing where they are of different kinds.
    pub(crate) fn is_of(&self, public: &Public) -> Option<bool> {
        match (self, public) {
            (Private::Rsa(k), Public::Rsa { n, e }) => Some(k.n == *n && k.e == *e),
            (Private::Ecdsa { curve, point, .. }, Public::Ecdsa { curve: c, point: p }) => {
                Some(curve == c && point == p)
            }
            (Private::Ed25519(seed), Public::Ed25519(key)) => Some(ed25519_public(seed).as_slice() == key.as_slice()),
            _ => None,
        }
    }
}
