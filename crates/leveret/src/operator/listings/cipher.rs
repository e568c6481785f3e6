//! Cipher suites and certificates taken apart, as RabbitMQ's listings show them.

use broker::TlsFacts;
use operator::TlsInfo;

/// What listings show of an encrypted connection.
pub(super) fn info(facts: &TlsFacts) -> TlsInfo {
    let (key_exchange, cipher, hash) = parts(&facts.cipher);
    let mut info = TlsInfo {
        protocol: facts.protocol.clone(),
        key_exchange,
        cipher,
        hash,
        ..TlsInfo::default()
    };
    if let Some(shown) = facts.certificate.as_deref().and_then(auth::certificate_facts) {
        info.peer_cert_subject = Some(shown.subject);
        info.peer_cert_issuer = Some(shown.issuer);
        info.peer_cert_serial_number = Some(shown.serial_number);
        info.peer_cert_validity = Some(shown.validity);
    }
    info
}

/// Key exchange, cipher and hash of a suite by its IANA name, in Erlang's words.
///
/// TLS 1.3 leaves the key exchange open (`any`). Where the cipher authenticates by itself the hash
/// is `aead`; the one in the name only derives keys.
fn parts(suite: &str) -> (String, String, String) {
    let suite = suite.to_ascii_lowercase();
    let (key_exchange, rest) = match suite.split_once("_with_") {
        Some((key_exchange, rest)) => (key_exchange.trim_start_matches("tls_"), rest),
        None => ("any", suite.split_once('_').map_or(suite.as_str(), |(_, rest)| rest)),
    };
    let (cipher, hash) = rest.rsplit_once('_').unwrap_or((rest, ""));
    let is_authenticating = ["gcm", "ccm", "poly1305"].iter().any(|mode| cipher.ends_with(mode));
    let hash = if is_authenticating { "aead" } else { hash };
    (key_exchange.to_owned(), cipher.to_owned(), hash.to_owned())
}

#[cfg(test)]
mod tests;
