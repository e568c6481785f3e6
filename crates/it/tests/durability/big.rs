//! Bodies of hundreds of megabytes: taken, kept through a crash and handed out, in bounded memory.

use it::Server;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::publisher_confirm::Confirmation;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Result};
use tokio::runtime::Runtime;

const MB: usize = 1_000_000;
const TRANSIENT: u8 = 1;
const PERSISTENT: u8 = 2;

/// What the broker may need: bodies as they come, once, and what it takes without them. Seen were 16 MB
/// beside a body of 300 MB.
fn memory_max(bodies_len: usize) -> usize {
    bodies_len + 60 * MB
}

/// A body in which every stretch of 64 KiB is another.
fn body(len: usize) -> Vec<u8> {
    const STRETCH: usize = 64 << 10;
    let pattern: Vec<u8> = (0..STRETCH).map(|at| (at / 3) as u8).collect();
    let mut body = pattern.repeat(len.div_ceil(STRETCH));
    for (number, stretch) in body.chunks_exact_mut(STRETCH).enumerate() {
        stretch[..8].copy_from_slice(&(number as u64).to_le_bytes());
    }
    body.truncate(len);
    body
}

async fn channel(server: &Server, queue_type: &str) -> Result<(Connection, Channel)> {
    let uri = format!("amqp://guest:guest@{}/%2f", server.address());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(queue_type.into()));
    channel.queue_declare("big", options, arguments).await?;
    Ok((connection, channel))
}

async fn publish(server: &Server, queue_type: &str, body: &[u8], mode: u8) -> Result<()> {
    let (_connection, channel) = channel(server, queue_type).await?;
    let options = BasicPublishOptions::default();
    let properties = BasicProperties::default().with_delivery_mode(mode);
    let confirm = channel.basic_publish("", "big", options, body, properties).await?;
    assert_eq!(confirm.await?, Confirmation::Ack(None));
    Ok(())
}

/// Takes a message.
async fn take(server: &Server, queue_type: &str) -> Result<Vec<u8>> {
    let (_connection, channel) = channel(server, queue_type).await?;
    let got = channel.basic_get("big", BasicGetOptions::default()).await?.expect("a message");
    got.delivery.ack(BasicAckOptions::default()).await?;
    Ok(got.delivery.data)
}

#[test]
fn large_bodies_survive_a_kill_and_take_bounded_memory() {
    let runtime = Runtime::new().expect("a runtime");
    for (queue_type, len) in [("classic", 100 * MB), ("classic", 300 * MB), ("quorum", 100 * MB)] {
        let mut server = Server::start("max_message_size = 400000000\n");
        let body = body(len);
        runtime.block_on(publish(&server, queue_type, &body, PERSISTENT)).expect("confirmed");
        let taking = server.peak_memory();
        server.kill();
        server.restart();
        let recovering = server.peak_memory();
        let taken = runtime.block_on(take(&server, queue_type)).expect("a message");
        assert!(taken == body, "{} of {len} bytes came back, or others", taken.len());
        let giving = server.peak_memory();
        let peaks = [taking, recovering, giving].map(|it| it / MB);
        println!(
            "{queue_type}, {} MB: peaks of {peaks:?} MB taking, recovering and giving",
            len / MB
        );
        assert!(peaks.iter().all(|&peak| peak * MB <= memory_max(len)), "{peaks:?} MB");
    }
}

#[test]
fn two_large_bodies_at_once_take_bounded_memory() {
    let runtime = Runtime::new().expect("a runtime");
    let body = body(100 * MB);
    for mode in [PERSISTENT, TRANSIENT] {
        let server = Server::start("max_message_size = 400000000\n");
        let publish = || publish(&server, "classic", &body, mode);
        let confirmed = runtime.block_on(async { tokio::try_join!(publish(), publish()) });
        confirmed.expect("both confirmed");
        let taking = server.peak_memory();
        for _ in 0..2 {
            let taken = runtime.block_on(take(&server, "classic")).expect("a message");
            assert!(taken == body, "{} bytes came back, or others", taken.len());
        }
        assert!(taking <= memory_max(2 * body.len()), "mode {mode}: {} MB", taking / MB);
        // One may be read back while it is still on its way out of memory.
        let giving = server.peak_memory();
        assert!(giving <= memory_max(3 * body.len()), "mode {mode}: {} MB", giving / MB);
    }
}
