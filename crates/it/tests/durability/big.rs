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

/// What the broker may need: the body as it comes, and copies of it on its way through the journal,
/// the log and to a page, whose buffers grow by doubling. Seen were 6.2 bodies of 100 MB.
fn memory_max(body_len: usize) -> usize {
    8 * body_len + 100 * MB
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

async fn publish(server: &Server, queue_type: &str, body: &[u8]) -> Result<()> {
    let (_connection, channel) = channel(server, queue_type).await?;
    let options = BasicPublishOptions::default();
    let properties = BasicProperties::default().with_delivery_mode(2);
    let confirm = channel.basic_publish("", "big", options, body, properties).await?;
    assert_eq!(confirm.await?, Confirmation::Ack(None));
    Ok(())
}

/// Takes the only message.
async fn take(server: &Server, queue_type: &str) -> Result<Vec<u8>> {
    let (_connection, channel) = channel(server, queue_type).await?;
    let got = channel.basic_get("big", BasicGetOptions::default()).await?.expect("a message");
    assert_eq!(got.message_count, 0);
    got.delivery.ack(BasicAckOptions::default()).await?;
    Ok(got.delivery.data)
}

#[test]
fn large_bodies_survive_a_kill_and_take_bounded_memory() {
    let runtime = Runtime::new().expect("a runtime");
    for (queue_type, len) in [("classic", 100 * MB), ("classic", 300 * MB), ("quorum", 100 * MB)] {
        let mut server = Server::start("max_message_size = 400000000\n");
        let body = body(len);
        runtime.block_on(publish(&server, queue_type, &body)).expect("confirmed");
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
