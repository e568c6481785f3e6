//! What a client's certificate says: the name of a user for the mechanism EXTERNAL, and what listings
//! show of it.

use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::oid;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{OID_X509_COMMON_NAME, Oid};
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Where the name stands (`ssl_cert_login_from`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginFrom {
    /// The whole subject, as RFC 4514 writes it.
    #[default]
    DistinguishedName,
    /// The subject's common names, joined by commas.
    CommonName,
    /// The subject's alternative name of this kind, the first being 0 (`ssl_cert_login_san_type`,
    /// `ssl_cert_login_san_index`).
    AlternativeName(AlternativeName, usize),
}

/// Kinds of alternative names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlternativeName {
    /// A host name.
    #[default]
    Dns,
    /// An address of IP. Its octets are the name, not their usual notation.
    Ip,
    /// An address of mail.
    Email,
    /// A URI.
    Uri,
    /// A name of whatever form, if it is a string that directories know.
    Other,
}

/// When each certificate of a PEM file ends, in seconds since 1970; what is none does not count.
#[must_use]
pub fn certificate_expiries(pem: &[u8]) -> Vec<i64> {
    let blocks = Pem::iter_from_buffer(pem).filter_map(Result::ok);
    let ends = blocks.filter_map(|block| {
        let certificate = block.parse_x509().ok()?;
        Some(certificate.validity().not_after.timestamp())
    });
    ends.collect()
}

/// The name in a certificate (DER). `None` when it has no such name or is damaged.
#[must_use]
pub fn login_name(certificate: &[u8], from: LoginFrom) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    match from {
        LoginFrom::DistinguishedName => Some(distinguished_name(certificate.subject())),
        LoginFrom::CommonName => {
            let attributes = certificate.subject().iter_attributes();
            let names: Vec<String> = attributes
                .filter(|it| *it.attr_type() == OID_X509_COMMON_NAME)
                .map(|it| text(it.attr_value()))
                .collect();
            (!names.is_empty()).then(|| names.join(","))
        }
        LoginFrom::AlternativeName(kind, index) => {
            let names = certificate.subject_alternative_name().ok()??;
            let mut names =
                names.value.general_names.iter().filter_map(|name| match (kind, name) {
                    (AlternativeName::Dns, GeneralName::DNSName(name))
                    | (AlternativeName::Email, GeneralName::RFC822Name(name))
                    | (AlternativeName::Uri, GeneralName::URI(name)) => {
                        Some(name.as_bytes().to_vec())
                    }
                    (AlternativeName::Ip, GeneralName::IPAddress(octets)) => Some(octets.to_vec()),
                    (AlternativeName::Other, GeneralName::OtherName(_, value)) => {
                        Some(directory_string(value).unwrap_or_default())
                    }
                    _ => None,
                });
            let name = String::from_utf8(names.nth(index)?).ok()?;
            (!name.is_empty()).then_some(name)
        }
    }
}

/// The string in the value of an `otherName`: `[0] EXPLICIT DirectoryString`.
fn directory_string(value: &[u8]) -> Option<Vec<u8>> {
    let (_, explicit) = Any::from_der(value).ok()?;
    let (_, string) = Any::from_der(explicit.data).ok()?;
    let is_known = matches!(
        string.tag(),
        Tag::Utf8String
            | Tag::PrintableString
            | Tag::T61String
            | Tag::BmpString
            | Tag::UniversalString
    );
    is_known.then(|| text(&string).into_bytes())
}

/// What listings show of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whom it names, as RFC 4514 writes it.
    pub subject: String,
    /// Who signed it, in the same form.
    pub issuer: String,
    /// In hexadecimal.
    pub serial_number: String,
    /// First and last second, such as `2026-01-01T00:00:00Z - 2027-01-01T00:00:00Z`.
    pub validity: String,
}

/// What listings show of a certificate (DER). `None` when it is damaged.
#[must_use]
pub fn certificate_facts(certificate: &[u8]) -> Option<CertificateFacts> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let validity = certificate.validity();
    Some(CertificateFacts {
        subject: distinguished_name(certificate.subject()),
        issuer: distinguished_name(certificate.issuer()),
        serial_number: format!("{:X}", certificate.serial),
        validity: format!("{} - {}", instant(validity.not_before), instant(validity.not_after)),
    })
}

fn instant(time: ASN1Time) -> String {
    let time = time.to_datetime();
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.to_hms();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// RFC 4514: the last part first.
fn distinguished_name(name: &X509Name<'_>) -> String {
    let parts: Vec<String> = name
        .iter_rdn()
        .map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+"))
        .collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(",")
}

/// RabbitMQ's short names; those of other attributes are dotted numbers.
fn short_name(kind: &Oid<'_>) -> Option<&'static str> {
    let known = [
        (oid!(2.5.4.4), "SN"),
        (oid!(2.5.4.42), "GIVENNAME"),
        (oid!(2.5.4.43), "INITIALS"),
        (oid!(2.5.4.44), "GENERATIONQUALIFIER"),
        (oid!(2.5.4.3), "CN"),
        (oid!(2.5.4.7), "L"),
        (oid!(2.5.4.8), "ST"),
        (oid!(2.5.4.10), "O"),
        (oid!(2.5.4.11), "OU"),
        (oid!(2.5.4.12), "TITLE"),
        (oid!(2.5.4.6), "C"),
        (oid!(2.5.4.5), "SERIALNUMBER"),
        (oid!(2.5.4.65), "PSEUDONYM"),
        (oid!(0.9.2342.19200300.100.1.25), "DC"),
        (oid!(1.2.840.113549.1.9.1), "EMAILADDRESS"),
        (oid!(0.9.2342.19200300.100.1.1), "UID"),
    ];
    known.iter().find(|(known, _)| known == kind).map(|(_, name)| *name)
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let value = escaped(&text(attribute.attr_value()));
    match short_name(attribute.attr_type()) {
        Some(name) => format!("{name}={value}"),
        None => format!("{}={value}", attribute.attr_type()),
    }
}

/// Strings come in many encodings; those that nobody should use any more are read as RabbitMQ does.
fn text(value: &Any<'_>) -> String {
    let wide = |width: usize| value.data.chunks_exact(width);
    match value.tag() {
        Tag::T61String => value.data.iter().map(|byte| char::from(*byte)).collect(),
        Tag::BmpString => {
            let units: Vec<u16> = wide(2).map(|it| u16::from_be_bytes([it[0], it[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        Tag::UniversalString => wide(4)
            .map(|it| u32::from_be_bytes([it[0], it[1], it[2], it[3]]))
            .map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
        _ => String::from_utf8_lossy(value.data).into_owned(),
    }
}

/// RFC 4514, and as RabbitMQ does everything that is not printable ASCII.
fn escaped(value: &str) -> String {
    let last = value.len().saturating_sub(1);
    let mut out = String::with_capacity(value.len());
    for (at, byte) in value.bytes().enumerate() {
        let is_outer_blank = byte == b' ' && (at == 0 || at == last);
        match byte {
            b'#' if at == 0 => out.push_str("\\#"),
            b' ' if is_outer_blank => out.push_str("\\ "),
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            0..32 | 126.. => out.push_str(&format!("\\{byte:02X}")),
            _ => out.push(char::from(byte)),
        }
    }
    out
}

#[cfg(test)]
mod tests;
