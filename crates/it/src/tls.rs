//! The client's side of TLS.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

/// A session with `localhost` that trusts the one certificate `authority` (PEM) and shows a certificate
/// of its own, if there is one: it and its key (PEM).
pub(crate) fn session(authority: &str, own: Option<(&str, &str)>) -> io::Result<ClientConnection> {
    let certificate =
        |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other);
    let mut roots = RootCertStore::empty();
    roots.add(certificate(authority)?).map_err(io::Error::other)?;
    let config = ClientConfig::builder().with_root_certificates(roots);
    let config = match own {
        None => config.with_no_client_auth(),
        Some((own, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(io::Error::other)?;
            let chain = vec![certificate(own)?];
            config.with_client_auth_cert(chain, key).map_err(io::Error::other)?
        }
    };
    let name = ServerName::try_from("localhost").expect("a valid name");
    ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)
}
