//! Certificates and TLS settings (`ssl_options.*`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pkcs8::{EncryptedPrivateKeyInfo, SecretDocument};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// How the PEM item of an encrypted PKCS #8 key begins.
const ENCRYPTED_KEY: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// What `ssl_options.*` asks for.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// The server's certificate, leaf first.
    pub certfile: PathBuf,
    /// Its private key.
    pub keyfile: PathBuf,
    /// The password of an encrypted key, in clear.
    pub password: Option<String>,
    /// Authorities that sign clients' certificates.
    pub cacertfile: Option<PathBuf>,
    /// Ask clients for a certificate and check it (`verify_peer`).
    pub verify_peer: bool,
    /// Refuse clients that show none.
    pub fail_if_no_peer_cert: bool,
    /// Versions allowed: `tlsv1.2`, `tlsv1.3`; empty for both.
    pub versions: Vec<String>,
}

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or holds no PEM item of the kind wanted.
    #[error("cannot use {path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Versions that are not offered.
    #[error("no usable TLS version among {0:?}")]
    Versions(Vec<String>),
    /// Certificate and key do not fit, or the like.
    #[error("TLS settings do not fit together: {0}")]
    Settings(String),
}

fn unusable(path: &Path, reason: impl ToString) -> TlsError {
    TlsError::File { path: path.to_owned(), reason: reason.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| unusable(path, error))?;
    let found: Result<Vec<_>, _> = read.collect();
    let found = found.map_err(|error| unusable(path, error))?;
    if found.is_empty() {
        return Err(unusable(path, io::Error::other("no certificate in it")));
    }
    Ok(found)
}

/// Reads a private key; an encrypted one must be PKCS #8 (`BEGIN ENCRYPTED PRIVATE KEY`).
fn private_key(path: &Path, password: Option<&str>) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = fs::read_to_string(path).map_err(|error| unusable(path, error))?;
    if pem.contains("Proc-Type: 4,ENCRYPTED") {
        let reason = "encrypted in OpenSSL's old form; `openssl pkcs8 -topk8` makes the new one";
        return Err(unusable(path, reason));
    }
    if !pem.contains(ENCRYPTED_KEY) {
        return PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| unusable(path, error));
    }
    let Some(password) = password else {
        return Err(unusable(path, "encrypted, and there is no ssl_options.password"));
    };
    let start = pem.find(ENCRYPTED_KEY).unwrap_or_default();
    let (_, encrypted) =
        SecretDocument::from_pem(&pem[start..]).map_err(|error| unusable(path, error))?;
    let encrypted = EncryptedPrivateKeyInfo::try_from(encrypted.as_bytes())
        .map_err(|error| unusable(path, error))?;
    let key = encrypted
        .decrypt(password)
        .map_err(|_| unusable(path, "ssl_options.password does not open it"))?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

/// Reads the files and builds what listeners need.
pub fn server_config(options: &TlsOptions) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(&options.certfile)?;
    let key = private_key(&options.keyfile, options.password.as_deref())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions(&options.versions)?)
        .map_err(|error| TlsError::Settings(error.to_string()))?;
    let builder = match &options.cacertfile {
        Some(path) if options.verify_peer => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if options.fail_if_no_peer_cert {
                verifier
            } else {
                verifier.allow_unauthenticated()
            };
            let verifier =
                verifier.build().map_err(|error| TlsError::Settings(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
        None if options.verify_peer => {
            return Err(TlsError::Settings("verify_peer needs a cacertfile".to_owned()));
        }
        _ => builder.with_no_client_auth(),
    };
    let config = builder
        .with_single_cert(chain, key)
        .map_err(|error| TlsError::Settings(error.to_string()))?;
    Ok(Arc::new(config))
}

fn versions(names: &[String]) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    if names.is_empty() {
        return Ok(vec![&version::TLS13, &version::TLS12]);
    }
    let known = |name: &String| match name.as_str() {
        "tlsv1.3" => Some(&version::TLS13),
        "tlsv1.2" => Some(&version::TLS12),
        _ => None,
    };
    let found: Vec<_> = names.iter().filter_map(known).collect();
    if found.is_empty() { Err(TlsError::Versions(names.to_vec())) } else { Ok(found) }
}

#[cfg(test)]
mod tests;
