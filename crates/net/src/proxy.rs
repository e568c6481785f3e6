//! The PROXY protocol, versions 1 and 2: what a load balancer says, before the client's first byte,
//! about whom it stands for.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Time a balancer has for its header.
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest header of version 1, its end of line included.
const V1_LEN_MAX: usize = 107;

/// Bytes of version 2 before its addresses: signature, command, family, length.
const V2_FIXED_LEN: usize = 16;

/// Both ends of the connection a balancer passes on: the client's, and the one it connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
}

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    /// The peer went away before its header was complete.
    #[error("TCP socket was closed prematurely")]
    Closed(#[source] io::Error),
    /// Something else came.
    #[error("{0}")]
    Malformed(String),
}

impl From<io::Error> for ProxyError {
    fn from(error: io::Error) -> Self {
        Self::Closed(error)
    }
}

fn malformed(error: impl ToString) -> ProxyError {
    ProxyError::Malformed(error.to_string())
}

/// Takes the header off `stream` and not a byte more. `None` when the balancer speaks for itself,
/// as health checks do.
pub(crate) async fn read_header(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<Ends>, ProxyError> {
    let mut header = vec![0; v2::PROTOCOL_PREFIX.len()];
    stream.read_exact(&mut header).await?;
    if header == v2::PROTOCOL_PREFIX {
        header.resize(V2_FIXED_LEN, 0);
        stream.read_exact(&mut header[v2::PROTOCOL_PREFIX.len()..]).await?;
        // The field has 16 bits, which is limit enough.
        let len = u16::from_be_bytes([header[V2_FIXED_LEN - 2], header[V2_FIXED_LEN - 1]]);
        header.resize(V2_FIXED_LEN + usize::from(len), 0);
        stream.read_exact(&mut header[V2_FIXED_LEN..]).await?;
        return ends_of_v2(&header);
    }
    if !header.starts_with(v1::PROTOCOL_PREFIX.as_bytes()) {
        return Err(malformed("the PROXY protocol header signature was not recognized"));
    }
    // What follows the line is the client's.
    while header.last() != Some(&b'\n') && header.len() < V1_LEN_MAX {
        header.push(stream.read_u8().await?);
    }
    ends_of_v1(&header)
}

fn ends_of_v1(header: &[u8]) -> Result<Option<Ends>, ProxyError> {
    let header = v1::Header::try_from(header).map_err(malformed)?;
    Ok(match header.addresses {
        v1::Addresses::Unknown => None,
        v1::Addresses::Tcp4(it) => Some(Ends {
            source: (it.source_address, it.source_port).into(),
            destination: (it.destination_address, it.destination_port).into(),
        }),
        v1::Addresses::Tcp6(it) => Some(Ends {
            source: (it.source_address, it.source_port).into(),
            destination: (it.destination_address, it.destination_port).into(),
        }),
    })
}

fn ends_of_v2(header: &[u8]) -> Result<Option<Ends>, ProxyError> {
    let header = v2::Header::try_from(header).map_err(malformed)?;
    Ok(match (header.command, header.addresses) {
        (v2::Command::Local, _) | (_, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => None,
        (v2::Command::Proxy, v2::Addresses::IPv4(it)) => Some(Ends {
            source: (it.source_address, it.source_port).into(),
            destination: (it.destination_address, it.destination_port).into(),
        }),
        (v2::Command::Proxy, v2::Addresses::IPv6(it)) => Some(Ends {
            source: (it.source_address, it.source_port).into(),
            destination: (it.destination_address, it.destination_port).into(),
        }),
    })
}

#[cfg(test)]
mod tests;
