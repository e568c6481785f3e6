//! Connections.

use operator::{ConnectionInfo, TlsInfo};
use serde_json::Value;
use statistics::{Figures, Ranges, Subject};

use crate::call::Call;
use crate::figures;
use crate::json;
use crate::listing::{self, Key, Row};
use crate::reply::{Answer, Failure, Reply};

/// A connection and the node it is on.
struct Connection {
    info: ConnectionInfo,
    node: String,
    /// None without what statistics show.
    octets: Option<Figures>,
}

impl Connection {
    fn new(call: &Call<'_>, info: ConnectionInfo, node: String, ranges: &Ranges) -> Self {
        let report = || call.broker.report(Subject::Connection(info.id), ranges);
        let octets = call.has_stats().then(|| report().octets);
        Self { info, node, octets }
    }

    fn details(&self, key: &str) -> Option<Value> {
        figures::details_of(self.octets.as_ref()?, key)
    }

    fn tls(&self, read: fn(&TlsInfo) -> &String) -> Option<Value> {
        Some(self.info.tls.as_ref().map(|tls| read(tls).clone()).into())
    }

    fn certificate(&self, read: fn(&TlsInfo) -> &Option<String>) -> Option<Value> {
        Some(self.info.tls.as_ref().and_then(|tls| read(tls).clone()).into())
    }

    fn counted(&self, value: impl Into<Value>) -> Option<Value> {
        self.octets.is_some().then(|| value.into())
    }
}

fn given_name(connection: &ConnectionInfo) -> Option<Value> {
    let name = connection.client_properties.get("connection_name")?;
    name.as_str().map(Value::from)
}

fn protocol(connection: &ConnectionInfo) -> String {
    let version: Vec<String> = connection.protocol.iter().map(u8::to_string).collect();
    format!("AMQP {}", version.join("-"))
}

impl Row for Connection {
    const KEYS: &'static [Key<Self>] = &[
        ("auth_mechanism", |c| Some(c.info.auth_mechanism.clone().into())),
        ("channel_max", |c| Some(c.info.channel_max.into())),
        ("channels", |c| c.counted(c.info.channels)),
        ("client_properties", |c| Some(json::table(&c.info.client_properties))),
        ("connected_at", |c| Some(c.info.connected_at.into())),
        ("frame_max", |c| Some(c.info.frame_max.into())),
        ("host", |c| Some(c.info.host.to_string().into())),
        ("name", |c| Some(c.info.name.clone().into())),
        ("node", |c| Some(c.node.clone().into())),
        ("peer_cert_issuer", |c| c.certificate(|tls| &tls.peer_cert_issuer)),
        ("peer_cert_serial_number", |c| c.certificate(|tls| &tls.peer_cert_serial_number)),
        ("peer_cert_subject", |c| c.certificate(|tls| &tls.peer_cert_subject)),
        ("peer_cert_validity", |c| c.certificate(|tls| &tls.peer_cert_validity)),
        ("peer_host", |c| Some(c.info.peer_host.to_string().into())),
        ("peer_port", |c| Some(c.info.peer_port.into())),
        ("port", |c| Some(c.info.port.into())),
        ("protocol", |c| Some(protocol(&c.info).into())),
        ("recv_cnt", |c| c.counted(c.info.recv_cnt)),
        ("recv_oct", |c| c.counted(c.info.recv_oct)),
        ("recv_oct_details", |c| c.details("recv_oct")),
        ("send_cnt", |c| c.counted(c.info.send_cnt)),
        ("send_oct", |c| c.counted(c.info.send_oct)),
        ("send_oct_details", |c| c.details("send_oct")),
        ("send_pend", |c| c.counted(c.info.send_pend)),
        ("ssl", |c| Some(c.info.tls.is_some().into())),
        ("ssl_cipher", |c| c.tls(|tls| &tls.cipher)),
        ("ssl_hash", |c| c.tls(|tls| &tls.hash)),
        ("ssl_key_exchange", |c| c.tls(|tls| &tls.key_exchange)),
        ("ssl_protocol", |c| c.tls(|tls| &tls.protocol)),
        ("state", |c| c.counted(c.info.state.clone())),
        ("timeout", |c| Some(c.info.timeout.into())),
        ("type", |_| Some("network".into())),
        ("user", |c| Some(c.info.user.clone().into())),
        ("user_provided_name", |c| given_name(&c.info)),
        ("user_who_performed_action", |c| Some(c.info.user.clone().into())),
        ("vhost", |c| Some(c.info.vhost.clone().into())),
    ];

    fn name(&self) -> &str {
        &self.info.name
    }
}

/// Connections that the caller sees and that are wanted.
fn rows(
    call: &Call<'_>,
    is_wanted: impl Fn(&ConnectionInfo) -> bool,
) -> Result<Vec<Connection>, Failure> {
    let node = call.broker.node_name();
    let ranges = call.ranges(false)?;
    let mut rows = Vec::new();
    call.broker.list_connections(&mut |info| {
        if call.sees(&info.user) && is_wanted(&info) {
            rows.push(Connection::new(call, info, node.clone(), &ranges));
        }
    })?;
    rows.sort_by(|a, b| (&a.info.vhost, &a.info.name).cmp(&(&b.info.vhost, &b.info.name)));
    Ok(rows)
}

/// `/api/connections`
pub(crate) fn list(call: &Call<'_>) -> Answer {
    let vhost = call.named_vhost();
    let rows = rows(call, |it| vhost.is_none_or(|vhost| it.vhost == vhost))?;
    listing::list(call.query, rows)
}

/// `/api/vhosts/:vhost/connections`
pub(crate) fn of_vhost(call: &Call<'_>) -> Answer {
    let vhost = call.vhost()?;
    listing::list(call.query, rows(call, |it| it.vhost == vhost)?)
}

/// The connection of this name, if the caller may have to do with it.
pub(super) fn find(call: &Call<'_>) -> Result<ConnectionInfo, Failure> {
    let info = call.broker.connection(call.param("connection")).ok_or_else(Failure::no_object)?;
    call.require_owner(&info.user)?;
    Ok(info)
}

/// `/api/connections/:connection`
pub(crate) fn get(call: &Call<'_>) -> Answer {
    let (info, ranges) = (find(call)?, call.ranges(false)?);
    let connection = Connection::new(call, info, call.broker.node_name(), &ranges);
    listing::object(call.query, &connection)
}

/// What clients are told unless the header `x-reason` says otherwise.
fn reason(call: &Call<'_>) -> String {
    let given = call.headers.get("x-reason").and_then(|it| it.to_str().ok());
    given.unwrap_or("Closed via management plugin").to_owned()
}

/// `DELETE /api/connections/:connection`
pub(crate) fn delete(call: &Call<'_>) -> Answer {
    let connection = find(call)?;
    call.broker.close_connection(&connection.pid, &reason(call))?;
    Ok(Reply::no_content())
}

/// `/api/connections/:connection/sessions`: there are none in AMQP 0-9-1.
pub(crate) fn sessions(call: &Call<'_>) -> Answer {
    find(call)?;
    Err(Failure::bad_request("connection does not use AMQP 1.0"))
}

/// `/api/connections/username/:username`
pub(crate) fn of_user(call: &Call<'_>) -> Answer {
    let user = call.param("username");
    call.require_owner(user)?;
    let rows = rows(call, |it| it.user == user)?;
    let shown = rows.iter().map(|it| {
        serde_json::json!({
            "name": it.info.name, "vhost": it.info.vhost, "user": it.info.user, "node": it.node,
        })
    });
    listing::value(call.query, Value::Array(shown.collect()))
}

/// `DELETE /api/connections/username/:username`
pub(crate) fn delete_of_user(call: &Call<'_>) -> Answer {
    let user = call.param("username");
    call.require_owner(user)?;
    let which = operator::ConnectionsOf::User(user);
    call.broker.close_all_connections(which, operator::CloseLimits::default(), &reason(call))?;
    Ok(Reply::no_content())
}
