//! One connection: HTTP/1.1 on a socket, and how long it waits for its client.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use hyper::body::{Body, Incoming};
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
///
/// # Errors
/// When the connection ends otherwise than between two requests.
pub async fn drive_http<S>(
    socket: impl AsyncRead + AsyncWrite,
    head_timeout: Duration,
    service: S,
) -> hyper::Result<()>
where
    S: HttpService<Incoming, Error = Infallible>,
    S::ResBody: Body + 'static,
    <S::ResBody as Body>::Error: Into<Box<dyn Error + Send + Sync>>,
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
