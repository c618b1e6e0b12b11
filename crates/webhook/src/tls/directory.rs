//! `tls.crt` and `tls.key` of a directory, as a Secret is mounted.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::Path;
use std::sync::Arc;
use x509_cert::der::Decode;

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// The bytes of both files. They are read twice: a directory that is being replaced gives two different answers.
pub(super) fn read(directory: &Path) -> Result<[Vec<u8>; 2], String> {
    let both = || Ok::<_, String>([file(&directory.join(CERTIFICATE))?, file(&directory.join(KEY))?]);
    let first = both()?;
    if both()? == first {
        Ok(first)
    } else {
        Err(format!("{}: is being replaced", directory.display()))
    }
}

/// The bytes of a file.
pub(super) fn file(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Chain and key, if they belong together, and when the certificate ends.
pub(super) fn pair(directory: &Path, certificate: &[u8], key: &[u8]) -> Result<(Arc<CertifiedKey>, u64), String> {
    let at = |name: &str, what: String| format!("{}: {what}", directory.join(name).display());
    let chain = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| at(CERTIFICATE, format!("not PEM: {e}")))?;
    let Some(first) = chain.first() else {
        return Err(at(CERTIFICATE, "there is no certificate in it".to_owned()));
    };
    let not_after = x509_cert::Certificate::from_der(first)
        .map_err(|e| at(CERTIFICATE, format!("not a certificate: {e}")))?
        .tbs_certificate
        .validity
        .not_after
        .to_unix_duration()
        .as_secs();
    // What is wrong with a key is not told further: messages are logged.
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| at(KEY, "there is no private key in it".to_owned()))?;
    let key = super::provider().key_provider.load_private_key(key).map_err(|_| {
        at(
            KEY,
            "not a key that can be used (RSA, ECDSA P-256 or P-384, Ed25519)".to_owned(),
        )
    })?;
    let certified = CertifiedKey::new(chain, key);
    certified
        .keys_match()
        .map_err(|_| at(KEY, format!("not the key of the certificate in {CERTIFICATE}")))?;
    Ok((Arc::new(certified), not_after))
}
