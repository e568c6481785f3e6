use super::parts;

#[test]
fn suites_come_apart_as_in_erlang() {
    for (suite, expected) in [
        ("TLS13_AES_256_GCM_SHA384", "any aes_256_gcm aead"),
        ("TLS13_CHACHA20_POLY1305_SHA256", "any chacha20_poly1305 aead"),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ecdhe_rsa aes_128_gcm aead"),
        ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ecdhe_ecdsa chacha20_poly1305 aead"),
        ("TLS_RSA_WITH_AES_128_CBC_SHA", "rsa aes_128_cbc sha"),
    ] {
        let (key_exchange, cipher, hash) = parts(suite);
        assert_eq!(format!("{key_exchange} {cipher} {hash}"), expected, "{suite}");
    }
}
