//! Certificates: from a directory that somebody else fills, or self-made; and whom clients must prove to be.

mod client;
mod directory;
mod self_made;

pub use client::ClientCheck;
pub use self_made::{SelfMade, self_made};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The lowest version that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinVersion {
    /// TLS 1.2
    #[default]
    Tls12,
    /// TLS 1.3
    Tls13,
}

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum Certificate {
    /// `tls.crt` and `tls.key` of a directory, read again while running.
    Directory(PathBuf),
    /// One that stays.
    Made(Arc<CertifiedKey>),
}

/// What is served by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The certificate.
    pub certificate: Certificate,
    /// Whom clients must prove to be; `None`: anybody may ask.
    pub client: Option<ClientCheck>,
    /// The lowest version.
    pub min_version: MinVersion,
}

/// What a look at the files came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reload {
    /// They say what they said.
    Same,
    /// What they say now is served.
    Taken,
    /// They cannot be used now (the reason); what was served is served on.
    Kept(String),
}

/// The configuration in force, replaced whole.
#[derive(Debug)]
pub struct Tls {
    settings: Settings,
    config: RwLock<Arc<ServerConfig>>,
    /// What the files said when they were last looked at, used or not.
    seen: Mutex<Vec<Vec<u8>>>,
    not_after: RwLock<u64>,
}

/// The one provider of cryptography.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl Tls {
    /// Reads everything once.
    ///
    /// # Errors
    /// A file is missing, unreadable or no certificate, or key and certificate are of two pairs.
    pub fn open(settings: Settings) -> Result<Tls, String> {
        let files = read(&settings)?;
        let (config, not_after) = build(&settings, &files)?;
        Ok(Tls {
            settings,
            config: RwLock::new(config),
            seen: Mutex::new(files),
            not_after: RwLock::new(not_after),
        })
    }

    /// What a new connection is accepted with.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the certificate ends, seconds since 1970.
    pub fn not_after(&self) -> u64 {
        *self.not_after.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the files again. Connections that are open keep what they began with.
    pub fn reload(&self) -> Reload {
        let files = match read(&self.settings) {
            Ok(files) => files,
            Err(why) => return Reload::Kept(why),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == files {
            return Reload::Same;
        }
        match build(&self.settings, &files) {
            Ok((config, not_after)) => {
                *seen = files;
                *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
                *self.not_after.write().unwrap_or_else(PoisonError::into_inner) = not_after;
                Reload::Taken
            }
            Err(why) => Reload::Kept(why),
        }
    }
}

/// The bytes of every file: certificate and key, then the CA of clients.
fn read(settings: &Settings) -> Result<Vec<Vec<u8>>, String> {
    let mut files = Vec::new();
    if let Certificate::Directory(directory) = &settings.certificate {
        files.extend(directory::read(directory)?);
    }
    if let Some(client) = &settings.client {
        files.push(directory::file(&client.ca)?);
    }
    Ok(files)
}

fn build(settings: &Settings, files: &[Vec<u8>]) -> Result<(Arc<ServerConfig>, u64), String> {
    let mut files = files.iter();
    let mut next = || files.next().map(Vec::as_slice).unwrap_or_default();
    let (key, not_after) = match &settings.certificate {
        Certificate::Directory(path) => directory::pair(path, next(), next())?,
        Certificate::Made(key) => (key.clone(), u64::MAX),
    };
    let versions: &[&rustls::SupportedProtocolVersion] = match settings.min_version {
        MinVersion::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        MinVersion::Tls13 => &[&rustls::version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(|e| e.to_string())?;
    let builder = match &settings.client {
        None => builder.with_no_client_auth(),
        Some(check) => builder.with_client_cert_verifier(client::verifier(check, next())?),
    };
    let mut config = builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((Arc::new(config), not_after))
}
