//! Bodies of requests: how large they may be, and how much of them all is in memory at a time.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use crate::reply::Failure;

/// Bytes of a body that everybody may send, without a login: the form of the login page.
pub(crate) const OPEN_BODY_LEN_MAX: usize = 16 * 1024;

/// Bytes of a body that take no part of [`LARGE_BODIES_LEN_MAX`], so that large ones never stop small
/// ones.
const SMALL_BODY_LEN_MAX: usize = 16 * 1024;

/// Bytes of all larger bodies at a time, from their arrival until their handlers are done.
const LARGE_BODIES_LEN_MAX: usize = 128 * 1024 * 1024;

/// Time a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Time a large body waits for others to be done with.
const ROOM_TIMEOUT: Duration = Duration::from_secs(10);

/// A body, and its part of the room for large ones.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) bytes: Bytes,
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

/// Reads bodies. Clones share the room for large ones.
#[derive(Clone)]
pub(crate) struct Reader {
    /// In bytes.
    room: Arc<Semaphore>,
    room_len: usize,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self::with_room(LARGE_BODIES_LEN_MAX)
    }

    fn with_room(room_len: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(room_len)), room_len }
    }

    /// All of `body`, which has up to `len_max` bytes.
    pub(crate) async fn read<B>(&self, body: B, len_max: usize) -> Result<Read, Failure>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if body.size_hint().lower() > len_max as u64 {
            return Err(too_large(len_max));
        }
        let read = tokio::time::timeout(BODY_TIMEOUT, self.collect(body, len_max)).await;
        read.unwrap_or_else(|_| Err(Failure::bad_request("the body of the request took too long")))
    }

    async fn collect<B>(&self, body: B, len_max: usize) -> Result<Read, Failure>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // Who does not say how much comes may send all there may be.
        let len = body.size_hint().exact().and_then(|it| usize::try_from(it).ok());
        let len = len.unwrap_or(len_max);
        let mut body = Limited::new(body, len_max);
        let mut bytes = BytesMut::new();
        let mut room = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
                true => too_large(len_max),
                false => Failure::bad_request("the body of the request was cut"),
            })?;
            let Ok(data) = frame.into_data() else { continue };
            if room.is_none() && SMALL_BODY_LEN_MAX < bytes.len() + data.len() {
                room = Some(self.reserve(len).await?);
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Read { bytes: bytes.freeze(), room })
    }

    async fn reserve(&self, len: usize) -> Result<OwnedSemaphorePermit, Failure> {
        let len = u32::try_from(len.min(self.room_len)).unwrap_or(u32::MAX);
        let acquired = self.room.clone().acquire_many_owned(len);
        match tokio::time::timeout(ROOM_TIMEOUT, acquired).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => {
                Err(Failure::service_unavailable("too many large requests at a time"))
            }
        }
    }
}

fn too_large(len_max: usize) -> Failure {
    warn!("HTTP API: request exceeded maximum allowed payload size (limit: {len_max} bytes)");
    Failure::bad_request("Exceeded HTTP request body size limit")
}

#[cfg(test)]
mod tests;
