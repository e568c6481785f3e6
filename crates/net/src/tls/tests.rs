use pkcs8::pkcs5::pbes2;
use pkcs8::{LineEnding, PrivateKeyInfo};
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

/// A certificate in a directory of its own, and its key, encrypted with this password if there is
/// one.
fn pair(password: Option<&str>) -> (TempDir, TlsOptions) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    let key = match password {
        None => key.serialize_pem(),
        Some(password) => {
            let (salt, iv) = ([7; 16], [9; 16]);
            let how = pbes2::Parameters::pbkdf2_sha256_aes256cbc(2048, &salt, &iv).expect("known");
            let clear = key.serialize_der();
            let clear = PrivateKeyInfo::try_from(clear.as_slice()).expect("a key");
            let encrypted = clear.encrypt_with_params(how, password).expect("encrypted");
            let label = "ENCRYPTED PRIVATE KEY";
            encrypted.to_pem(label, LineEnding::LF).expect("PEM").to_string()
        }
    };
    let options = TlsOptions {
        certfile: dir.path().join("server.pem"),
        keyfile: dir.path().join("server.key"),
        ..TlsOptions::default()
    };
    fs::write(&options.certfile, certificate.pem()).expect("writable");
    fs::write(&options.keyfile, key).expect("writable");
    (dir, options)
}

fn complaint(options: &TlsOptions) -> String {
    let error = server_config(options).expect_err("not usable");
    error.to_string().replace(&*options.keyfile.to_string_lossy(), "KEY")
}

#[test]
fn an_encrypted_key_needs_its_password() {
    let (_dir, options) = pair(Some("hare"));
    let with =
        |password: &str| TlsOptions { password: Some(password.to_owned()), ..options.clone() };
    server_config(&with("hare")).expect("the right one");
    assert_eq!(complaint(&with("fox")), "cannot use KEY: ssl_options.password does not open it");
    let missing = "cannot use KEY: encrypted, and there is no ssl_options.password";
    assert_eq!(complaint(&options), missing);
}

#[test]
fn a_password_does_not_hurt_a_key_that_is_not_encrypted() {
    let (_dir, options) = pair(None);
    server_config(&TlsOptions { password: Some("hare".to_owned()), ..options }).expect("usable");
}

#[test]
fn a_key_in_openssls_old_encryption_is_named_so() {
    let (_dir, options) = pair(None);
    let old = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n\
        AAAA\n-----END EC PRIVATE KEY-----\n";
    fs::write(&options.keyfile, old).expect("writable");
    let said = complaint(&options);
    assert!(said.contains("OpenSSL's old form"), "{said}");
}
