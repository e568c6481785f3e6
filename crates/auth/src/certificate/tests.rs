use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, OtherNameValue, SanType, SerialNumber,
    date_time_ymd,
};

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
            SanType::IpAddress("10.1.2.3".parse().expect("an address")),
            SanType::IpAddress("192.168.1.1".parse().expect("an address")),
            SanType::OtherName((vec![1, 2, 3], OtherNameValue::Utf8String("Zoë".to_owned()))),
        ],
    );
    let name = |kind, index| login_name(&der, LoginFrom::AlternativeName(kind, index));
    assert_eq!(name(AlternativeName::Dns, 0).as_deref(), Some("one.example"));
    assert_eq!(name(AlternativeName::Dns, 1).as_deref(), Some("two.example"));
    assert_eq!(name(AlternativeName::Dns, 2), None);
    assert_eq!(name(AlternativeName::Email, 0).as_deref(), Some("ann@example.org"));
    assert_eq!(name(AlternativeName::Uri, 0).as_deref(), Some("spiffe://example/ann"));
    assert_eq!(name(AlternativeName::Ip, 0).as_deref(), Some("\n\x01\x02\x03"));
    assert_eq!(name(AlternativeName::Ip, 1), None, "its octets are no text");
    assert_eq!(name(AlternativeName::Other, 0).as_deref(), Some("Zoë"));
    assert_eq!(name(AlternativeName::Other, 1), None);
}

#[test]
fn listings_show_who_signed_what_for_how_long() {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "ann, \"x\"");
    params.serial_number = Some(SerialNumber::from_slice(&[0x00, 0xf0, 0xa1, 0x0b]));
    params.not_before = date_time_ymd(2026, 11, 21);
    params.not_after = date_time_ymd(2126, 1, 2);
    let key = KeyPair::generate().expect("a key");
    let der = params.self_signed(&key).expect("a certificate").der().to_vec();
    let facts = certificate_facts(&der).expect("a certificate");
    assert_eq!(facts.subject, "CN=ann\\, \\\"x\\\"");
    assert_eq!(facts.issuer, facts.subject);
    assert_eq!(facts.serial_number, "F0A10B");
    assert_eq!(facts.validity, "2026-11-21T00:00:00Z - 2126-01-02T00:00:00Z");
    assert_eq!(certificate_facts(&der[1..]), None);
}

#[test]
fn a_damaged_certificate_names_nobody() {
    let der = certificate(&[(DnType::CommonName, "ann")], Vec::new());
    for len in 0..der.len() {
        assert_eq!(login_name(&der[..len], LoginFrom::CommonName), None, "{len} bytes");
    }
}
