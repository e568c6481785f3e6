use super::*;

/// What a header says, and the first byte of the client's own after it.
async fn read(header: &[u8]) -> Result<(Option<(String, String)>, u8), String> {
    let stream = [header, b"A"].concat();
    let mut stream = stream.as_slice();
    let ends = read_header(&mut stream).await.map_err(|error| error.to_string())?;
    let ends = ends.map(|ends| (ends.source.to_string(), ends.destination.to_string()));
    Ok((ends, stream.read_u8().await.expect("nothing of the client's was taken")))
}

fn ends(source: &str, destination: &str) -> Option<(String, String)> {
    Some((source.to_owned(), destination.to_owned()))
}

fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let len = (addresses.len() as u16).to_be_bytes();
    [v2::PROTOCOL_PREFIX, &[0x20 | command, family], &len, addresses].concat()
}

#[tokio::test]
async fn version_1_is_a_line() {
    let tcp4 = read(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 5672\r\n").await;
    assert_eq!(tcp4, Ok((ends("192.0.2.7:4711", "198.51.100.1:5672"), b'A')));
    let tcp6 = read(b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 5672\r\n").await;
    assert_eq!(tcp6, Ok((ends("[2001:db8::7]:4711", "[2001:db8::1]:5672"), b'A')));
    assert_eq!(read(b"PROXY UNKNOWN\r\n").await, Ok((None, b'A')));
}

#[tokio::test]
async fn version_2_is_binary_and_may_hold_more() {
    let addresses = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0x16, 0x28];
    let tcp4 = read(&v2(1, 0x11, &addresses)).await;
    assert_eq!(tcp4, Ok((ends("192.0.2.7:4711", "198.51.100.1:5672"), b'A')));
    let with_authority = [&addresses[..], &[2, 0, 4], b"host"].concat();
    assert_eq!(read(&v2(1, 0x11, &with_authority)).await, tcp4);
    assert_eq!(read(&v2(0, 0, &[])).await, Ok((None, b'A')), "a health check");
}

#[tokio::test]
async fn anything_else_is_refused() {
    for bad in [
        &b"AMQP\0\0\x09\x01 and so on"[..],
        b"PROXY TCP4 192.0.2.7\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 99999\r\n",
        &[&b"PROXY TCP4 "[..], &[b'1'; 200]].concat(),
        &v2(1, 0x11, &[1, 2, 3]),
        &v2(7, 0x11, &[0; 12]),
    ] {
        assert!(read(bad).await.is_err(), "{bad:?}");
    }
    let error = read_header(&mut &b"PROXY TCP4 192.0"[..]).await.expect_err("incomplete");
    assert!(matches!(error, ProxyError::Closed(_)), "{error}");
}
