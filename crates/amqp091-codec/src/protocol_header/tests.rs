use crate::ProtocolHeader;

#[test]
fn headers_are_told_apart_by_their_first_eight_octets() {
    let tls_hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    assert_eq!(ProtocolHeader::parse(b"AMQP\x00\x00\x09\x01\x01"), Some(ProtocolHeader::V0_9_1));
    assert_eq!(ProtocolHeader::parse(b"AMQP\x01\x01\x00\x09"), Some(ProtocolHeader::V1_1_0_9));
    assert_eq!(ProtocolHeader::parse(b"AMQP\x03\x01\x00\x00"), Some(ProtocolHeader::V1_0_SASL));
    assert_eq!(ProtocolHeader::parse(b"GET / HTTP/1.1\r\n"), Some(ProtocolHeader::Http));
    assert_eq!(ProtocolHeader::parse(&tls_hello), Some(ProtocolHeader::Tls));
    assert_eq!(ProtocolHeader::parse(b"HELO there"), Some(ProtocolHeader::Unknown(*b"HELO the")));
}

#[test]
fn every_truncation_of_a_header_asks_for_more() {
    let header = ProtocolHeader::amqp_bytes([0, 0, 9, 1]);
    assert!((0..header.len()).all(|len| ProtocolHeader::parse(&header[..len]).is_none()));
    assert_eq!(ProtocolHeader::parse(&header), Some(ProtocolHeader::V0_9_1));
}
