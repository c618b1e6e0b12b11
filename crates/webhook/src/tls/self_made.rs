//! A CA and a certificate for a workstation. The keys never leave the process.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// A certificate and the CA that vouches for it.
#[derive(Clone, Debug)]
pub struct SelfMade {
    /// What is served.
    pub key: Arc<CertifiedKey>,
    /// The CA's certificate, PEM.
    pub ca: String,
}

/// Makes both, for these DNS names and IP addresses. A day before now to ten years on: clocks differ.
///
/// # Errors
/// A name is no DNS name, or there is no randomness.
pub fn self_made(names: &[String]) -> Result<SelfMade, String> {
    let say = |e: rcgen::Error| format!("cannot make a certificate: {e}");
    let named = |params: &mut CertificateParams, name: &str| {
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
    };
    let mut ca = CertificateParams::default();
    named(&mut ca, "regent self-made CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_key = KeyPair::generate().map_err(say)?;
    let ca_certificate = ca.self_signed(&ca_key).map_err(say)?;
    let issuer = Issuer::new(ca, ca_key);

    let mut leaf = CertificateParams::new(names.to_vec()).map_err(say)?;
    named(&mut leaf, "regent");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let leaf_key = KeyPair::generate().map_err(say)?;
    let leaf_certificate = leaf.signed_by(&leaf_key, &issuer).map_err(say)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    let key = super::provider()
        .key_provider
        .load_private_key(key)
        .map_err(|e| format!("cannot make a certificate: {e}"))?;
    Ok(SelfMade {
        key: Arc::new(CertifiedKey::new(vec![leaf_certificate.der().clone()], key)),
        ca: ca_certificate.pem(),
    })
}
