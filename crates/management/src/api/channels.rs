//! Channels.

use operator::ChannelInfo;
use serde_json::Value;
use statistics::{Figures, Subject};

use super::{connections, consumers, queues};
use crate::call::Call;
use crate::figures;
use crate::listing::{self, Key, Row};
use crate::reply::{Answer, Failure};

/// A channel and the node it is on.
struct Channel {
    info: ChannelInfo,
    node: String,
    messages: Figures,
    /// Without what statistics show.
    is_bare: bool,
}

impl Channel {
    fn counted(&self, value: impl Into<Value>) -> Option<Value> {
        (!self.is_bare).then(|| value.into())
    }
}

impl Row for Channel {
    const KEYS: &'static [Key<Self>] = &[
        ("acks_uncommitted", |c| c.counted(c.info.acks_uncommitted)),
        ("confirm", |c| c.counted(c.info.confirm)),
        ("connection_details", |c| c.info.peer.as_ref().map(queues::peer)),
        ("consumer_count", |c| c.counted(c.info.consumer_count)),
        ("global_prefetch_count", |c| {
            c.counted(c.info.global_prefetch_count).filter(|_| c.info.global_prefetch_count != 0)
        }),
        ("message_stats", |c| figures::message_stats(&c.messages)),
        ("messages_unacknowledged", |c| c.counted(c.info.messages_unacknowledged)),
        ("messages_uncommitted", |c| c.counted(c.info.messages_uncommitted)),
        ("messages_unconfirmed", |c| c.counted(c.info.messages_unconfirmed)),
        ("name", |c| Some(c.info.name.clone().into())),
        ("node", |c| Some(c.node.clone().into())),
        ("number", |c| Some(c.info.number.into())),
        ("prefetch_count", |c| c.counted(c.info.prefetch_count)),
        ("state", |c| c.counted("running")),
        ("transactional", |c| c.counted(c.info.transactional)),
        ("user", |c| Some(c.info.user.clone().into())),
        ("user_who_performed_action", |c| Some(c.info.user.clone().into())),
        ("vhost", |c| Some(c.info.vhost.clone().into())),
    ];

    fn name(&self) -> &str {
        &self.info.name
    }
}

fn rows(
    call: &Call<'_>,
    is_wanted: impl Fn(&ChannelInfo) -> bool,
) -> Result<Vec<Channel>, Failure> {
    let (node, is_bare) = (call.broker.node_name(), !call.has_stats());
    let ranges = call.ranges(false)?;
    call.broker.refresh();
    let mut rows = Vec::new();
    call.broker.list_channels(&mut |info| {
        if is_wanted(&info) {
            let messages = match is_bare {
                true => Figures::new(),
                false => call.broker.report(Subject::Channel(info.id), &ranges).messages,
            };
            rows.push(Channel { info, node: node.clone(), messages, is_bare });
        }
    })?;
    rows.sort_by(|a, b| (&a.info.vhost, &a.info.name).cmp(&(&b.info.vhost, &b.info.name)));
    Ok(rows)
}

/// `/api/channels`
pub(crate) fn list(call: &Call<'_>) -> Answer {
    let vhost = call.named_vhost();
    let is_wanted =
        |it: &ChannelInfo| call.sees(&it.user) && vhost.is_none_or(|vhost| it.vhost == vhost);
    listing::list(call.query, rows(call, is_wanted)?)
}

/// `/api/vhosts/:vhost/channels`
pub(crate) fn of_vhost(call: &Call<'_>) -> Answer {
    let vhost = call.vhost()?;
    listing::list(call.query, rows(call, |it| call.sees(&it.user) && it.vhost == vhost)?)
}

/// `/api/connections/:connection/channels`
pub(crate) fn of_connection(call: &Call<'_>) -> Answer {
    let connection = connections::find(call)?;
    listing::list(call.query, rows(call, |it| it.connection == connection.pid)?)
}

/// `/api/channels/:channel`
pub(crate) fn get(call: &Call<'_>) -> Answer {
    let name = call.param("channel");
    let channel = rows(call, |it| it.name == name)?.pop().ok_or_else(Failure::no_object)?;
    call.require_owner(&channel.info.user)?;
    let mut object = listing::whole(&channel);
    if !channel.is_bare {
        let mut details = Vec::new();
        call.broker.list_consumers(&channel.info.vhost, &mut |it| {
            if it.channel_pid == channel.info.pid {
                details.push(consumers::value(&it, &channel.node));
            }
        })?;
        object["consumer_details"] = Value::Array(details);
        let (id, vhost) = (channel.info.id, &channel.info.vhost);
        let pairs = call.broker.pairs(Subject::Channel(id), &call.ranges(false)?);
        let [publishes, deliveries] = figures::pairs(call, vhost, &pairs)?;
        object["publishes"] = publishes;
        object["deliveries"] = deliveries;
    }
    listing::value(call.query, object)
}
