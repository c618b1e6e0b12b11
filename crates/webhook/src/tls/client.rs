//! Whom a client must prove to be.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use std::path::PathBuf;
use std::sync::Arc;
use x509_cert::der::Decode;
use x509_cert::der::asn1::{PrintableStringRef, Utf8StringRef};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// A client must show a certificate of this CA, for one of these names.
#[derive(Clone, Debug)]
pub struct ClientCheck {
    /// PEM file of the CA.
    pub ca: PathBuf,
    /// Common names or DNS names; empty: any.
    pub names: Vec<String>,
}

/// What checks clients by a CA's PEM.
pub(super) fn verifier(check: &ClientCheck, ca: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let at = |what: String| format!("{}: {what}", check.ca.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca) {
        let certificate = certificate.map_err(|e| at(format!("not PEM: {e}")))?;
        roots.add(certificate).map_err(|e| at(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(at("there is no certificate in it".to_owned()));
    }
    let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), super::provider())
        .build()
        .map_err(|e| at(e.to_string()))?;
    Ok(Arc::new(Named {
        inner,
        names: check.names.clone(),
    }))
}

/// The usual check of a chain, and then of the name.
#[derive(Debug)]
struct Named {
    inner: Arc<dyn ClientCertVerifier>,
    names: Vec<String>,
}

impl ClientCertVerifier for Named {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        let names = names(end_entity);
        if self.names.is_empty() || self.names.iter().any(|wanted| names.contains(wanted)) {
            Ok(verified)
        } else {
            Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            ))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Common names of the subject, and DNS names.
fn names(certificate: &[u8]) -> Vec<String> {
    const COMMON_NAME: &str = "2.5.4.3";
    let Ok(certificate) = x509_cert::Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let certificate = certificate.tbs_certificate;
    let mut out = Vec::new();
    for attribute in certificate.subject.0.iter().flat_map(|rdn| rdn.0.iter()) {
        if attribute.oid.to_string() == COMMON_NAME {
            let value = &attribute.value;
            let utf8 = value.decode_as::<Utf8StringRef<'_>>().map(|s| s.as_str().to_owned());
            out.extend(utf8.or_else(|_| {
                value
                    .decode_as::<PrintableStringRef<'_>>()
                    .map(|s| s.as_str().to_owned())
            }));
        }
    }
    if let Ok(Some((_, SubjectAltName(list)))) = certificate.get::<SubjectAltName>() {
        out.extend(list.into_iter().filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.to_string()),
            _ => None,
        }));
    }
    out
}
