//! One connection: HTTP/1.1 on a socket, and how long it waits for its client.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::HttpService;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_io_timeout::TimeoutStream;

/// Bytes of a request's head.
const HEAD_LEN_MAX: usize = 64 * 1024;

/// Time for which a client may take nothing of what it is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Answers the requests that come through `socket`, encrypted or not, until its client is done, stops
/// reading, or takes longer than `head_timeout` for a head.
pub(crate) async fn drive<S>(
    socket: impl AsyncRead + AsyncWrite,
    head_timeout: Duration,
    service: S,
) -> hyper::Result<()>
where
    S: HttpService<Incoming, ResBody = Full<Bytes>, Error = Infallible>,
{
    let mut socket = TimeoutStream::new(socket);
    socket.set_write_timeout(Some(WRITE_TIMEOUT));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(HEAD_LEN_MAX)
        .serve_connection(TokioIo::new(Box::pin(socket)), service)
        .await
}

#[cfg(test)]
mod tests;
