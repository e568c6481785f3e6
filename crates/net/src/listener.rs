//! Listening sockets.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use broker::{Protocol, TlsFacts};
use rustls::InvalidMessage;
use socket2::{Domain, Protocol as Transport, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, error, warn};

use crate::driver::drive;
use crate::proxy::{self, ProxyError};

/// Pause after `accept` failed, mostly for want of descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How a listening socket and the sockets it accepts are set up (`tcp_listen_options.*`,
/// `ssl_handshake_timeout`).
#[derive(Clone, Debug)]
pub struct ListenerOptions {
    /// Connections the kernel queues before they are accepted.
    pub backlog: u32,
    /// Send small packets at once.
    pub nodelay: bool,
    /// Let the kernel probe idle peers.
    pub keepalive: bool,
    /// `SO_SNDBUF`, bytes; `None` leaves it to the kernel, which then adapts it to the traffic.
    pub send_buffer: Option<u32>,
    /// `SO_RCVBUF`, bytes; `None` as above.
    pub receive_buffer: Option<u32>,
    /// Time a client has for the TLS handshake.
    pub tls_handshake_timeout: Duration,
    /// Every connection must begin with a header of the PROXY protocol (`proxy_protocol`).
    pub is_proxied: bool,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self {
            backlog: 128,
            nodelay: true,
            keepalive: false,
            send_buffer: None,
            receive_buffer: None,
            tls_handshake_timeout: Duration::from_secs(5),
            is_proxied: false,
        }
    }
}

/// Both ends of an accepted socket; those of the client behind it when a proxy passes it on.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The client's end.
    pub peer: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
    /// How it is encrypted, if it is.
    pub tls: Option<TlsFacts>,
}

/// Makes the protocol for an accepted socket.
pub type Accepted = Arc<dyn Fn(Peer) -> Box<dyn Protocol> + Send + Sync>;

/// What becomes of accepted sockets.
pub trait Serve: Clone + Send + Sync + 'static {
    /// Speaks through `socket` until it or its peer is done. Runs as a task of its own.
    fn serve(
        self,
        socket: impl crate::Socket + Send + 'static,
        peer: Peer,
    ) -> impl Future<Output = ()> + Send;
}

impl Serve for Accepted {
    async fn serve(self, socket: impl crate::Socket + Send + 'static, peer: Peer) {
        drive(socket, self(peer)).await;
    }
}

/// A bound listening socket.
pub struct Listener {
    socket: TcpListener,
    options: ListenerOptions,
    tls: Option<TlsAcceptor>,
}

impl Listener {
    /// Binds `address`; port 0 takes any free one. Must be called inside a tokio runtime.
    pub fn bind(
        address: SocketAddr,
        options: ListenerOptions,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Transport::TCP))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            // One dual-stack socket serves both families, as RabbitMQ's `::` listener does.
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        // Accepted sockets inherit the sizes; the window a client is told of is scaled by what
        // holds when its first packet comes, so that later would be too late.
        if let Some(bytes) = options.send_buffer {
            socket.set_send_buffer_size(bytes as usize)?;
        }
        if let Some(bytes) = options.receive_buffer {
            socket.set_recv_buffer_size(bytes as usize)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(options.backlog.min(i32::MAX as u32) as i32)?;
        let socket = TcpListener::from_std(socket.into())?;
        Ok(Self { socket, options, tls: tls.map(TlsAcceptor::from) })
    }

    /// The address bound.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts for ever; each connection runs as a task of its own. `protocol` is what is spoken,
    /// for the log.
    pub async fn run(self, protocol: &'static str, served: impl Serve) {
        let preface = Preface {
            is_proxied: self.options.is_proxied,
            tls: self.tls.clone(),
            tls_timeout: self.options.tls_handshake_timeout,
            protocol,
        };
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => self.start(stream, peer, &preface, &served),
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    fn start(&self, stream: TcpStream, peer: SocketAddr, preface: &Preface, served: &impl Serve) {
        // A peer that is gone already shows in the first read.
        let Ok(local) = stream.local_addr() else { return };
        if self.options.nodelay {
            drop(stream.set_nodelay(true));
        }
        if self.options.keepalive {
            drop(socket2::SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new()));
        }
        let (peer, local) = (canonical(peer), canonical(local));
        let peer = Peer { peer, local, tls: None };
        if preface.is_proxied || preface.tls.is_some() {
            tokio::spawn(preface.clone().run(stream, peer, served.clone()));
        } else {
            tokio::spawn(served.clone().serve(stream, peer));
        }
    }
}

/// What comes before the protocol.
#[derive(Clone)]
struct Preface {
    is_proxied: bool,
    tls: Option<TlsAcceptor>,
    tls_timeout: Duration,
    protocol: &'static str,
}

impl Preface {
    async fn run(self, mut stream: TcpStream, mut peer: Peer, served: impl Serve) {
        if self.is_proxied && !read_proxy_header(&mut stream, &mut peer).await {
            return;
        }
        match &self.tls {
            None => served.serve(stream, peer).await,
            Some(tls) => {
                let Some(stream) = self.encrypt(tls, stream, &mut peer).await else { return };
                served.serve(stream, peer).await;
            }
        }
    }

    async fn encrypt(
        &self,
        tls: &TlsAcceptor,
        stream: TcpStream,
        peer: &mut Peer,
    ) -> Option<TlsStream<TcpStream>> {
        let stream = match tokio::time::timeout(self.tls_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                self.log_tls_failure(peer.peer, &error);
                return None;
            }
            Err(_) => {
                let (protocol, peer) = (self.protocol, peer.peer);
                error!("timeout error during handshake for protocol '{protocol}' and peer {peer}");
                return None;
            }
        };
        let session = stream.get_ref().1;
        let chain = session.peer_certificates().unwrap_or_default();
        peer.tls = Some(TlsFacts {
            protocol: match session.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_2) => "tlsv1.2",
                _ => "tlsv1.3",
            }
            .to_owned(),
            cipher: session
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or_default()
                .to_owned(),
            certificate: chain.first().map(|own| own.as_ref().into()),
        });
        Some(stream)
    }

    /// Tells a client that speaks plainly from one whose certificate or settings do not fit, and
    /// says little of one that only looked whether the port is open.
    fn log_tls_failure(&self, peer: SocketAddr, error: &io::Error) {
        let protocol = self.protocol;
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
                warn!("{peer} is connecting to the '{protocol}' listener without using TLS");
            }
            Some(reason) => {
                error!(
                    "{reason}: error during handshake for protocol '{protocol}' and peer {peer}"
                );
            }
            None => debug!(%peer, %error, "a TLS handshake was broken off"),
        }
    }
}

/// Puts the ends that a proxy names into `peer`; false when it names none properly.
async fn read_proxy_header(stream: &mut TcpStream, peer: &mut Peer) -> bool {
    let read = tokio::time::timeout(proxy::HEADER_TIMEOUT, proxy::read_header(stream)).await;
    match read {
        Ok(Ok(Some(ends))) => {
            peer.peer = canonical(ends.source);
            peer.local = canonical(ends.destination);
            return true;
        }
        Ok(Ok(None)) => return true,
        // Health checks connect and go.
        Ok(Err(error @ ProxyError::Closed(_))) => {
            debug!(peer = %peer.peer, "error when receiving proxy header: {error}");
        }
        Ok(Err(error)) => {
            warn!(peer = %peer.peer, "error when receiving proxy header: {error}");
        }
        Err(_) => warn!(peer = %peer.peer, "error when receiving proxy header: timeout"),
    }
    false
}

/// `::ffff:127.0.0.1` is the IPv4 address it stands for.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests;
