//! RabbitMQ's grammar of AMQP 0-9-1: one entry per method, in the order of the specification.
//!
//! An entry gives ids, name and arguments; everything else about methods is derived from it.
//! Short strings are `&str`, long strings `&[u8]`; [`ShortBytes`] are the short strings of methods
//! that carry content, which RabbitMQ does not check for UTF-8.

use crate::method::methods;
use crate::{ShortBytes, Table};

/// The class of connections.
pub const CLASS_CONNECTION: u16 = 10;
/// The class of channels.
pub const CLASS_CHANNEL: u16 = 20;
/// The class of access tickets, which RabbitMQ hands out and ignores.
pub const CLASS_ACCESS: u16 = 30;
/// The class of exchanges.
pub const CLASS_EXCHANGE: u16 = 40;
/// The class of queues.
pub const CLASS_QUEUE: u16 = 50;
/// The class of messages, the only one that carries content.
pub const CLASS_BASIC: u16 = 60;
/// The class of publisher confirms.
pub const CLASS_CONFIRM: u16 = 85;
/// The class of transactions.
pub const CLASS_TX: u16 = 90;

methods! {
    /// The server names its version, properties, mechanisms and locales.
    ConnectionStart<'a> = 10, 10, "connection.start" {
        version_major: u8,
        version_minor: u8,
        server_properties: Table<'a>,
        mechanisms: &'a [u8],
        locales: &'a [u8],
    }
    /// The client names its properties, chooses a mechanism and starts it.
    ConnectionStartOk<'a> = 10, 11, "connection.start_ok" {
        client_properties: Table<'a>,
        mechanism: &'a str,
        response: &'a [u8],
        locale: &'a str,
    }
    /// The mechanism goes on.
    ConnectionSecure<'a> = 10, 20, "connection.secure" { challenge: &'a [u8] }
    /// The client answers the mechanism.
    ConnectionSecureOk<'a> = 10, 21, "connection.secure_ok" { response: &'a [u8] }
    /// The server proposes limits: channels, bytes per frame, seconds between heartbeats; 0 is none.
    ConnectionTune = 10, 30, "connection.tune" {
        channel_max: u16,
        frame_max: u32,
        heartbeat: u16,
    }
    /// The client settles the limits.
    ConnectionTuneOk = 10, 31, "connection.tune_ok" {
        channel_max: u16,
        frame_max: u32,
        heartbeat: u16,
    }
    /// The client chooses a vhost.
    ConnectionOpen<'a> = 10, 40, "connection.open" {
        virtual_host: &'a str,
        capabilities: &'a str,
        insist: bool,
    }
    /// The connection is open.
    ConnectionOpenOk<'a> = 10, 41, "connection.open_ok" { known_hosts: &'a str }
    /// Either side ends the connection.
    ConnectionClose<'a> = 10, 50, "connection.close" {
        reply_code: u16,
        reply_text: &'a str,
        class_id: u16,
        method_id: u16,
    }
    /// The other side agrees; nothing follows.
    ConnectionCloseOk = 10, 51, "connection.close_ok" {}
    /// An alarm is up: the server reads no publishes for now.
    ConnectionBlocked<'a> = 10, 60, "connection.blocked" { reason: &'a str }
    /// The alarm is over.
    ConnectionUnblocked = 10, 61, "connection.unblocked" {}
    /// The client brings new credentials before the old ones expire.
    ConnectionUpdateSecret<'a> = 10, 70, "connection.update_secret" {
        new_secret: &'a [u8],
        reason: &'a str,
    }
    /// The new credentials are taken.
    ConnectionUpdateSecretOk = 10, 71, "connection.update_secret_ok" {}

    /// The client opens a channel.
    ChannelOpen<'a> = 20, 10, "channel.open" { out_of_band: &'a str }
    /// The channel is open.
    ChannelOpenOk<'a> = 20, 11, "channel.open_ok" { channel_id: &'a [u8] }
    /// Either side stops or resumes the flow of messages.
    ChannelFlow = 20, 20, "channel.flow" { active: bool }
    /// The other side did so.
    ChannelFlowOk = 20, 21, "channel.flow_ok" { active: bool }
    /// Either side ends the channel.
    ChannelClose<'a> = 20, 40, "channel.close" {
        reply_code: u16,
        reply_text: &'a str,
        class_id: u16,
        method_id: u16,
    }
    /// The other side agrees; the number is free again.
    ChannelCloseOk = 20, 41, "channel.close_ok" {}

    /// The client asks for an access ticket.
    AccessRequest<'a> = 30, 10, "access.request" {
        realm: &'a str,
        exclusive: bool,
        passive: bool,
        active: bool,
        write: bool,
        read: bool,
    }
    /// The ticket, which nobody looks at.
    AccessRequestOk = 30, 11, "access.request_ok" { ticket: u16 }

    /// The client declares an exchange.
    ExchangeDeclare<'a> = 40, 10, "exchange.declare" {
        ticket: u16,
        exchange: &'a str,
        kind: &'a str,
        passive: bool,
        durable: bool,
        auto_delete: bool,
        internal: bool,
        nowait: bool,
        arguments: Table<'a>,
    }
    /// The exchange is there.
    ExchangeDeclareOk = 40, 11, "exchange.declare_ok" {}
    /// The client deletes an exchange.
    ExchangeDelete<'a> = 40, 20, "exchange.delete" {
        ticket: u16,
        exchange: &'a str,
        if_unused: bool,
        nowait: bool,
    }
    /// The exchange is gone.
    ExchangeDeleteOk = 40, 21, "exchange.delete_ok" {}
    /// The client binds an exchange to an exchange.
    ExchangeBind<'a> = 40, 30, "exchange.bind" {
        ticket: u16,
        destination: &'a str,
        source: &'a str,
        routing_key: &'a str,
        nowait: bool,
        arguments: Table<'a>,
    }
    /// The binding is there.
    ExchangeBindOk = 40, 31, "exchange.bind_ok" {}
    /// The client takes such a binding away.
    ExchangeUnbind<'a> = 40, 40, "exchange.unbind" {
        ticket: u16,
        destination: &'a str,
        source: &'a str,
        routing_key: &'a str,
        nowait: bool,
        arguments: Table<'a>,
    }
    /// The binding is gone. Its id breaks the pattern in RabbitMQ's grammar too.
    ExchangeUnbindOk = 40, 51, "exchange.unbind_ok" {}

    /// The client declares a queue; no name asks for one made up by the server.
    QueueDeclare<'a> = 50, 10, "queue.declare" {
        ticket: u16,
        queue: &'a str,
        passive: bool,
        durable: bool,
        exclusive: bool,
        auto_delete: bool,
        nowait: bool,
        arguments: Table<'a>,
    }
    /// The queue is there; messages ready and consumers.
    QueueDeclareOk<'a> = 50, 11, "queue.declare_ok" {
        queue: &'a str,
        message_count: u32,
        consumer_count: u32,
    }
    /// The client binds a queue to an exchange.
    QueueBind<'a> = 50, 20, "queue.bind" {
        ticket: u16,
        queue: &'a str,
        exchange: &'a str,
        routing_key: &'a str,
        nowait: bool,
        arguments: Table<'a>,
    }
    /// The binding is there.
    QueueBindOk = 50, 21, "queue.bind_ok" {}
    /// The client empties a queue of what is ready.
    QueuePurge<'a> = 50, 30, "queue.purge" {
        ticket: u16,
        queue: &'a str,
        nowait: bool,
    }
    /// How many messages went.
    QueuePurgeOk = 50, 31, "queue.purge_ok" { message_count: u32 }
    /// The client deletes a queue.
    QueueDelete<'a> = 50, 40, "queue.delete" {
        ticket: u16,
        queue: &'a str,
        if_unused: bool,
        if_empty: bool,
        nowait: bool,
    }
    /// How many messages went with it.
    QueueDeleteOk = 50, 41, "queue.delete_ok" { message_count: u32 }
    /// The client takes a binding away.
    QueueUnbind<'a> = 50, 50, "queue.unbind" {
        ticket: u16,
        queue: &'a str,
        exchange: &'a str,
        routing_key: &'a str,
        arguments: Table<'a>,
    }
    /// The binding is gone.
    QueueUnbindOk = 50, 51, "queue.unbind_ok" {}

    /// The client bounds what it holds unacknowledged.
    BasicQos = 60, 10, "basic.qos" {
        prefetch_size: u32,
        prefetch_count: u16,
        global: bool,
    }
    /// The bound holds.
    BasicQosOk = 60, 11, "basic.qos_ok" {}
    /// The client wants a queue's messages delivered.
    BasicConsume<'a> = 60, 20, "basic.consume" {
        ticket: u16,
        queue: &'a str,
        consumer_tag: &'a str,
        no_local: bool,
        no_ack: bool,
        exclusive: bool,
        nowait: bool,
        arguments: Table<'a>,
    }
    /// The consumer is there.
    BasicConsumeOk<'a> = 60, 21, "basic.consume_ok" { consumer_tag: &'a str }
    /// The client ends a consumer; from the server: the queue is gone.
    BasicCancel<'a> = 60, 30, "basic.cancel" {
        consumer_tag: &'a str,
        nowait: bool,
    }
    /// The consumer is gone.
    BasicCancelOk<'a> = 60, 31, "basic.cancel_ok" { consumer_tag: &'a str }
    /// The client publishes a message. Carries content.
    BasicPublish<'a> = 60, 40, "basic.publish" {
        ticket: u16,
        exchange: ShortBytes<'a>,
        routing_key: ShortBytes<'a>,
        mandatory: bool,
        immediate: bool,
    }
    /// A mandatory message comes back. Carries content.
    BasicReturn<'a> = 60, 50, "basic.return" {
        reply_code: u16,
        reply_text: ShortBytes<'a>,
        exchange: ShortBytes<'a>,
        routing_key: ShortBytes<'a>,
    }
    /// A message for a consumer. Carries content.
    BasicDeliver<'a> = 60, 60, "basic.deliver" {
        consumer_tag: ShortBytes<'a>,
        delivery_tag: u64,
        redelivered: bool,
        exchange: ShortBytes<'a>,
        routing_key: ShortBytes<'a>,
    }
    /// The client asks for one message.
    BasicGet<'a> = 60, 70, "basic.get" {
        ticket: u16,
        queue: &'a str,
        no_ack: bool,
    }
    /// Here is one. Carries content.
    BasicGetOk<'a> = 60, 71, "basic.get_ok" {
        delivery_tag: u64,
        redelivered: bool,
        exchange: ShortBytes<'a>,
        routing_key: ShortBytes<'a>,
        message_count: u32,
    }
    /// There is none.
    BasicGetEmpty<'a> = 60, 72, "basic.get_empty" { cluster_id: &'a str }
    /// Settled: by a client what it was delivered, by the server what was published.
    BasicAck = 60, 80, "basic.ack" {
        delivery_tag: u64,
        multiple: bool,
    }
    /// The client refuses one message.
    BasicReject = 60, 90, "basic.reject" {
        delivery_tag: u64,
        requeue: bool,
    }
    /// The client wants everything unacknowledged delivered anew, without an answer.
    BasicRecoverAsync = 60, 100, "basic.recover_async" { requeue: bool }
    /// The same with an answer.
    BasicRecover = 60, 110, "basic.recover" { requeue: bool }
    /// It will be.
    BasicRecoverOk = 60, 111, "basic.recover_ok" {}
    /// Refused: by a client what it was delivered, by the server what was published.
    BasicNack = 60, 120, "basic.nack" {
        delivery_tag: u64,
        multiple: bool,
        requeue: bool,
    }

    /// The client makes its channel transactional.
    TxSelect = 90, 10, "tx.select" {}
    /// It is.
    TxSelectOk = 90, 11, "tx.select_ok" {}
    /// The client commits.
    TxCommit = 90, 20, "tx.commit" {}
    /// It is done.
    TxCommitOk = 90, 21, "tx.commit_ok" {}
    /// The client rolls back.
    TxRollback = 90, 30, "tx.rollback" {}
    /// It is undone.
    TxRollbackOk = 90, 31, "tx.rollback_ok" {}

    /// The client wants to know which publishes arrived.
    ConfirmSelect = 85, 10, "confirm.select" { nowait: bool }
    /// It will.
    ConfirmSelectOk = 85, 11, "confirm.select_ok" {}
}

impl Method<'_> {
    /// Whether a content header follows the method.
    pub fn has_content(&self) -> bool {
        matches!(
            self,
            Self::BasicPublish(_)
                | Self::BasicReturn(_)
                | Self::BasicDeliver(_)
                | Self::BasicGetOk(_)
        )
    }
}
