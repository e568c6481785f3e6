//! The certificates of listeners, for the check that they do not end soon.

use std::path::PathBuf;

use config::Config;
use operator::{CertificateInfo, ListenerInfo};

/// A listener with TLS and its files.
pub(super) struct Files {
    pub(super) listener: ListenerInfo,
    pub(super) cacertfile: Option<PathBuf>,
    pub(super) certfile: PathBuf,
}

/// The files of those listeners that have some.
pub(super) fn of_listeners(listeners: &[ListenerInfo], config: &Config) -> Vec<Files> {
    let files = listeners.iter().filter_map(|listener| {
        let options = match listener.protocol.as_str() {
            "amqp/ssl" => &config.tls,
            "https" => &config.management.tls_options,
            "https/prometheus" => &config.prometheus.tls_options,
            _ => return None,
        };
        let (cacertfile, certfile) = (options.cacertfile.clone(), options.certfile.clone()?);
        Some(Files { listener: listener.clone(), cacertfile, certfile })
    });
    files.collect()
}

/// What its files hold now; one that cannot be read holds nothing.
pub(super) fn read(files: &Files) -> CertificateInfo {
    let expiries = |path: &PathBuf| {
        let pem = std::fs::read(path).unwrap_or_default();
        auth::certificate_expiries(&pem)
    };
    let ListenerInfo { interface, port, protocol } = files.listener.clone();
    CertificateInfo {
        interface,
        port,
        protocol,
        cacertfile_expires: files.cacertfile.as_ref().map(expiries).unwrap_or_default(),
        certfile_expires: expiries(&files.certfile),
        cacertfile: files.cacertfile.clone(),
        certfile: files.certfile.clone(),
    }
}
