use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

use super::*;

/// A certificate with this subject, its parts in the order they are encoded.
fn certificate(subject: &[(DnType, &str)], alternatives: Vec<SanType>) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in subject {
        params.distinguished_name.push(kind.clone(), *value);
    }
    params.subject_alt_names = alternatives;
    let key = KeyPair::generate().expect("a key");
    params.self_signed(&key).expect("a certificate").der().to_vec()
}

fn distinguished(subject: &[(DnType, &str)]) -> String {
    let der = certificate(subject, Vec::new());
    login_name(&der, LoginFrom::DistinguishedName).expect("a subject")
}

#[test]
fn the_subject_is_written_last_part_first() {
    let uid = DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 1]);
    let other = DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 99]);
    let name = distinguished(&[
        (DnType::CountryName, "NZ"),
        (DnType::OrganizationName, "Hares"),
        (DnType::CommonName, "ann"),
        (uid, "7"),
        (other, "x"),
    ]);
    assert_eq!(name, "1.3.6.1.4.1.99=x,UID=7,CN=ann,O=Hares,C=NZ");
}

#[test]
fn what_could_be_misread_is_escaped() {
    let cn = |value| distinguished(&[(DnType::CommonName, value)]);
    assert_eq!(cn("a,b+c"), "CN=a\\,b\\+c");
    assert_eq!(cn("#1 first "), "CN=\\#1 first\\ ");
    assert_eq!(cn(" "), "CN=\\ ");
    assert_eq!(cn("Zoë~"), "CN=Zo\\C3\\AB\\7E");
}

#[test]
fn the_common_name_stands_as_it_is() {
    let der = certificate(&[(DnType::CommonName, "Zoë, ann")], Vec::new());
    assert_eq!(login_name(&der, LoginFrom::CommonName).as_deref(), Some("Zoë, ann"));
    let nameless = certificate(&[(DnType::OrganizationName, "Hares")], Vec::new());
    assert_eq!(login_name(&nameless, LoginFrom::CommonName), None);
}

#[test]
fn alternative_names_are_counted_by_kind() {
    let text = |text: &str| text.try_into().expect("ASCII");
    let der = certificate(
        &[],
        vec![
            SanType::DnsName(text("one.example")),
            SanType::Rfc822Name(text("ann@example.org")),
            SanType::DnsName(text("two.example")),
            SanType::URI(text("spiffe://example/ann")),
        ],
    );
    let name = |kind, index| login_name(&der, LoginFrom::AlternativeName(kind, index));
    assert_eq!(name(AlternativeName::Dns, 0).as_deref(), Some("one.example"));
    assert_eq!(name(AlternativeName::Dns, 1).as_deref(), Some("two.example"));
    assert_eq!(name(AlternativeName::Dns, 2), None);
    assert_eq!(name(AlternativeName::Email, 0).as_deref(), Some("ann@example.org"));
    assert_eq!(name(AlternativeName::Uri, 0).as_deref(), Some("spiffe://example/ann"));
}

#[test]
fn a_damaged_certificate_names_nobody() {
    let der = certificate(&[(DnType::CommonName, "ann")], Vec::new());
    for len in 0..der.len() {
        assert_eq!(login_name(&der[..len], LoginFrom::CommonName), None, "{len} bytes");
    }
}
