use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::*;

const ANSWER_LEN: usize = 1024 * 1024;

const HOUR: Duration = Duration::from_secs(3600);

/// A client's end of a connection that answers everything with a mebibyte.
fn connection() -> (tokio::io::DuplexStream, tokio::task::JoinHandle<hyper::Result<()>>) {
    let (client, server) = tokio::io::duplex(64);
    let service = service_fn(|_| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(vec![b'x'; ANSWER_LEN]))))
    });
    (client, tokio::spawn(drive_http(server, Duration::from_secs(5), service)))
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_hung_up_on() {
    let (mut client, served) = connection();
    client.write_all(b"GET / HTTP/1.1\r\nhost: mq\r\n\r\n").await.expect("it listens");
    let ended = timeout(HOUR, served).await.expect("it ends").expect("no panic");
    assert!(ended.is_err(), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_gets_all() {
    let (mut client, served) = connection();
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: mq\r\nconnection: close\r\n\r\n")
        .await
        .expect("it listens");
    let mut got = Vec::new();
    let mut piece = [0; 64];
    while let Ok(len @ 1..) = client.read(&mut piece).await {
        got.extend_from_slice(&piece[..len]);
        tokio::time::sleep(WRITE_TIMEOUT / 2).await;
    }
    assert!(ANSWER_LEN < got.len(), "{} bytes", got.len());
    served.await.expect("no panic").expect("no error");
}
