use super::*;

/// The example of RabbitMQ's documentation of password hashes.
const DOCUMENTED: &str = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR";

#[test]
fn a_hash_made_by_rabbitmq_fits_its_password() {
    assert!(verify_password(Algorithm::Sha256, DOCUMENTED, b"test12"));
    assert!(!verify_password(Algorithm::Sha256, DOCUMENTED, b"test13"));
    assert!(!verify_password(Algorithm::Sha512, DOCUMENTED, b"test12"));
}

#[test]
fn the_salt_stands_before_the_digest() {
    let salt = [0x90, 0x8d, 0xc6, 0x0a];
    assert_eq!(hash_password(Algorithm::Sha256, salt, b"test12"), DOCUMENTED);
}

#[test]
fn each_algorithm_verifies_what_it_hashed() {
    for algorithm in Algorithm::ALL {
        let stored = hash_password(algorithm, [1, 2, 3, 4], b"s3cret");
        assert!(verify_password(algorithm, &stored, b"s3cret"), "{algorithm:?}");
        assert!(!verify_password(algorithm, &stored, b"s3cre"), "{algorithm:?}");
        assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
    }
}

#[test]
fn blank_passwords_and_missing_hashes_never_fit() {
    let blank = hash_password(Algorithm::Sha256, [0; 4], b"");
    assert!(!verify_password(Algorithm::Sha256, &blank, b""));
    for stored in ["", "AAA", "not base64", "AAAAAA=="] {
        assert!(!verify_password(Algorithm::Sha256, stored, b"x"), "{stored}");
        assert!(!verify_password(Algorithm::Sha256, stored, b""), "{stored}");
    }
}
