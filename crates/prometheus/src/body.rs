//! A body that is made while it is sent.

use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Body, Frame};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Bytes that are rendered before they are sent.
const PIECE_LEN: usize = 64 * 1024;

/// Pieces that wait for the client.
const PIECES_MAX: usize = 2;

/// Time for a whole body, however slowly its client takes it.
const BODY_TIME_MAX: Duration = Duration::from_secs(60);

/// The client is gone, or too slow.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client did not take all of it")]
pub(crate) struct Gone;

/// The body as HTTP takes it. An error when its page goes before it is finished.
pub(crate) struct Pieces {
    /// `None` is the end.
    receiver: mpsc::Receiver<Option<Bytes>>,
    is_over: bool,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Gone;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Gone>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let received = ready!(self.receiver.poll_recv(ctx));
        self.is_over = !matches!(received, Some(Some(_)));
        Poll::Ready(match received {
            Some(piece) => piece.map(|it| Ok(Frame::data(it))),
            None => Some(Err(Gone)),
        })
    }
}

/// A body and the page that it is made of.
pub(crate) fn piped(is_compressed: bool) -> (Page, Pieces) {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let page = Page {
        text: Vec::with_capacity(PIECE_LEN),
        len: 0,
        gzip: is_compressed.then(|| GzEncoder::new(Vec::new(), Compression::fast())),
        sender,
        deadline: Instant::now() + BODY_TIME_MAX,
    };
    (page, Pieces { receiver, is_over: false })
}

/// What is written, on a thread that may block.
pub(crate) struct Page {
    /// Not sent yet.
    pub(crate) text: Vec<u8>,
    /// Bytes sent, as they were before they were compressed.
    len: u64,
    gzip: Option<GzEncoder<Vec<u8>>>,
    sender: mpsc::Sender<Option<Bytes>>,
    deadline: Instant,
}

impl Page {
    /// To be called every few lines: sends them if they are a piece.
    pub(crate) fn flush_full(&mut self) -> Result<(), Gone> {
        if self.text.len() < PIECE_LEN { Ok(()) } else { self.flush() }
    }

    /// Sends the rest. `note` hears how many bytes there were, before the reader can see the end.
    pub(crate) fn finish(mut self, note: impl FnOnce(u64)) -> Result<(), Gone> {
        self.flush()?;
        if let Some(gzip) = self.gzip.take() {
            self.send(gzip.finish().map_err(|_| Gone)?)?;
        }
        note(self.len);
        self.push(None)
    }

    fn flush(&mut self) -> Result<(), Gone> {
        self.len += self.text.len() as u64;
        let piece = match &mut self.gzip {
            None => std::mem::replace(&mut self.text, Vec::with_capacity(PIECE_LEN)),
            Some(gzip) => {
                gzip.write_all(&self.text).map_err(|_| Gone)?;
                self.text.clear();
                std::mem::take(gzip.get_mut())
            }
        };
        self.send(piece)
    }

    fn send(&self, piece: Vec<u8>) -> Result<(), Gone> {
        if piece.is_empty() { Ok(()) } else { self.push(Some(piece.into())) }
    }

    fn push(&self, piece: Option<Bytes>) -> Result<(), Gone> {
        let sent = timeout_at(self.deadline, self.sender.send(piece));
        match Handle::current().block_on(sent) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// Writes `len` bytes on a thread of its own.
    fn written(is_compressed: bool, len: usize) -> Pieces {
        let (mut page, pieces) = piped(is_compressed);
        tokio::task::spawn_blocking(move || {
            for _ in 0..len / 10 {
                page.text.extend_from_slice(b"0123456789");
                page.flush_full()?;
            }
            page.finish(|_| ())
        });
        pieces
    }

    #[tokio::test]
    async fn a_body_comes_in_pieces() {
        let mut body = written(false, 1_000_000);
        let mut lens = Vec::new();
        while let Some(frame) = body.frame().await {
            lens.push(frame.expect("a piece").into_data().expect("data").len());
        }
        assert_eq!(lens.iter().sum::<usize>(), 1_000_000);
        assert!(lens.iter().all(|&len| len < PIECE_LEN + 10), "{lens:?}");
    }

    #[tokio::test]
    async fn a_compressed_body_is_smaller_and_says_the_same() {
        let body = written(true, 1_000_000).collect().await.expect("a body").to_bytes();
        assert!(body.len() < 100_000, "{}", body.len());
        let mut text = Vec::new();
        let mut reader = flate2::read::GzDecoder::new(&*body);
        std::io::Read::read_to_end(&mut reader, &mut text).expect("gzip");
        assert_eq!(text.len(), 1_000_000);
    }

    #[tokio::test]
    async fn a_page_that_is_not_finished_is_an_error() {
        let (page, body) = piped(false);
        drop(page);
        assert_eq!(body.collect().await.map(drop), Err(Gone));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_holds_nobody_up_for_long() {
        let (mut page, mut body) = piped(false);
        let writer = tokio::task::spawn_blocking(move || {
            loop {
                page.text.resize(PIECE_LEN, b'x');
                page.flush_full()?;
            }
        });
        assert!(body.frame().await.is_some());
        // The clock stands still while threads work: it is moved by hand.
        tokio::time::advance(2 * BODY_TIME_MAX).await;
        let end: Result<(), Gone> = writer.await.expect("no bug");
        assert_eq!(end, Err(Gone));
    }
}
