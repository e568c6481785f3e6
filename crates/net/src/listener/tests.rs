use socket2::SockRef;
use tokio::net::TcpStream;

use super::{Listener, ListenerOptions};

#[tokio::test]
async fn accepted_sockets_have_the_buffers_that_were_asked_for() {
    let options = ListenerOptions {
        send_buffer: Some(20_000),
        receive_buffer: Some(30_000),
        ..ListenerOptions::default()
    };
    let any = "127.0.0.1:0".parse().expect("an address");
    let listener = Listener::bind(any, options, None).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let client = TcpStream::connect(address).await.expect("it listens");
    let (accepted, _) = listener.socket.accept().await.expect("a connection");
    let of = |socket: SockRef<'_>| {
        let sizes = (socket.send_buffer_size(), socket.recv_buffer_size());
        (sizes.0.expect("a size"), sizes.1.expect("a size"))
    };
    // Linux counts its own book-keeping in, so it doubles them.
    assert_eq!(of(SockRef::from(&accepted)), (40_000, 60_000));
    assert_ne!(of(SockRef::from(&client)), (40_000, 60_000));
}
