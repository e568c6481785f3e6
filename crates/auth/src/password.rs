//! Password hashes as RabbitMQ stores and exports them: the base64 of a four byte salt followed by
//! the digest of salt and password.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::Digest as _;

/// Length of a salt, bytes.
pub const SALT_LEN: usize = 4;

/// How a password was hashed; definitions name it in `hashing_algorithm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256, RabbitMQ's default.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
    /// MD5, from before RabbitMQ 3.6; only ever read.
    Md5,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha512, Self::Md5];

    /// RabbitMQ's name in definitions and in the HTTP API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "rabbit_password_hashing_sha256",
            Self::Sha512 => "rabbit_password_hashing_sha512",
            Self::Md5 => "rabbit_password_hashing_md5",
        }
    }

    /// The algorithm of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    fn digest(self, salt: &[u8], password: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => {
                sha2::Sha256::new().chain_update(salt).chain_update(password).finalize().to_vec()
            }
            Self::Sha512 => {
                sha2::Sha512::new().chain_update(salt).chain_update(password).finalize().to_vec()
            }
            Self::Md5 => {
                md5::Md5::new().chain_update(salt).chain_update(password).finalize().to_vec()
            }
        }
    }
}

/// The text to store for a password. The salt must be fresh chance for each password.
#[must_use]
pub fn hash_password(algorithm: Algorithm, salt: [u8; SALT_LEN], password: &[u8]) -> String {
    let mut hash = salt.to_vec();
    hash.extend(algorithm.digest(&salt, password));
    STANDARD.encode(hash)
}

/// Whether the password is the one that was hashed. A blank password never is, and neither does
/// any password fit an empty or damaged hash (a user without a password). The time it takes does
/// not depend on how much of the digest agrees.
#[must_use]
pub fn verify_password(algorithm: Algorithm, stored: &str, password: &[u8]) -> bool {
    if password.is_empty() {
        return false;
    }
    let Ok(hash) = STANDARD.decode(stored) else { return false };
    let Some((salt, expected)) = hash.split_at_checked(SALT_LEN) else { return false };
    are_equal(&algorithm.digest(salt, password), expected)
}

fn are_equal(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b));
    a.len() == b.len() && std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests;
