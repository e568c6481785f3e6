//! TLS on `listeners.ssl`, as a second client library (amqprs over rustls) sees it.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use amqprs::{
    BasicProperties,
    channel::{BasicGetArguments, BasicPublishArguments, QueueDeclareArguments},
    connection::{Connection, OpenConnectionArguments},
    tls::TlsAdaptor,
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, SupportedProtocolVersion,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        version::{TLS12, TLS13},
    },
};

use it::{Login, RawClient};

use crate::kit::{Broker, step, wait_until};

/// An authority and what it signed, in PEM.
struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// A certificate for this host name, with a subject of this common name, and its key.
    fn sign(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Hares");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }
}

/// Writes certificates where the broker will look for them; the lines of its configuration.
fn configure(dir: &Path, authority: &Authority, more: &str) -> String {
    let (certificate, key) = authority.sign("localhost");
    for (name, pem) in
        [("ca.pem", &authority.certificate), ("server.pem", &certificate), ("server.key", &key)]
    {
        fs::write(dir.join(name), pem).expect("the directory is writable");
    }
    let dir = dir.display();
    format!(
        "listeners.ssl.1 = 127.0.0.1:{{tls-port}}\nssl_options.cacertfile = {dir}/ca.pem\n\
         ssl_options.certfile = {dir}/server.pem\nssl_options.keyfile = {dir}/server.key\n{more}\n"
    )
}

/// A broker with TLS, and who signed its certificate.
fn broker(more: &str) -> (Broker, Authority) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let authority = Authority::new();
    let broker = Broker::with(&configure(dir.path(), &authority, more));
    (broker, authority)
}

/// Connects with these versions and, if there is one, a certificate of the client's own.
fn connect(
    broker: &Broker,
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
    own: Option<(String, String)>,
) -> Result<Connection, String> {
    let mut roots = RootCertStore::empty();
    let trusted = CertificateDer::from_pem_slice(authority.certificate.as_bytes()).expect("PEM");
    roots.add(trusted).expect("a certificate");
    let provider = rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .expect("known versions")
        .with_root_certificates(roots);
    let config = match own {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
            config.with_client_auth_cert(vec![certificate], key).expect("a pair")
        }
    };
    let connector = TlsConnector::from(Arc::new(config));
    let (host, port) = {
        let address = broker.server.tls_address();
        let (host, port) = address.rsplit_once(':').expect("host:port");
        (host.to_owned(), port.parse().expect("a port"))
    };
    let mut arguments = OpenConnectionArguments::new(&host, port, "guest", "guest");
    arguments.tls_adaptor(TlsAdaptor::new(connector, "localhost".to_owned()));
    step(Connection::open(&arguments)).map_err(|error| error.to_string())
}

/// A round trip of a message that spans TLS records.
fn exchange_a_message(connection: Connection) {
    let body: Vec<u8> = (0..300_000_u32).map(|at| (at % 253) as u8).collect();
    let got = step(async {
        let channel = connection.open_channel(None).await?;
        channel.queue_declare(QueueDeclareArguments::durable_client_named("q")).await?;
        let to = BasicPublishArguments::new("", "q");
        channel.basic_publish(BasicProperties::default(), body.clone(), to).await?;
        let got = channel.basic_get(BasicGetArguments::new("q").no_ack(true).finish()).await;
        channel.close().await?;
        got
    });
    let (_, _, content) = got.expect("the channel is open").expect("a message");
    assert!(content == body, "{} bytes, not as sent", content.len());
    // A connection or channel dropped outside of the runtime would panic.
    step(connection.close()).expect("it was open");
}

#[test]
fn both_versions_of_tls_carry_amqp() {
    let (broker, authority) = broker("");
    for version in [&TLS12, &TLS13] {
        exchange_a_message(connect(&broker, &authority, &[version], None).expect("a connection"));
    }
    let listed = broker.server.ctl("rabbitmq-diagnostics", &["-q", "listeners"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("amqp/ssl"), "{listed}");
}

#[test]
fn the_configured_version_is_the_only_one() {
    let (broker, authority) = broker("ssl_options.versions.1 = tlsv1.3");
    assert!(connect(&broker, &authority, &[&TLS12], None).is_err());
    exchange_a_message(connect(&broker, &authority, &[&TLS13], None).expect("a connection"));
}

#[test]
fn a_client_without_a_certificate_is_refused_when_one_is_demanded() {
    let (broker, authority) =
        broker("ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true");
    for version in [&TLS12, &TLS13] {
        assert!(connect(&broker, &authority, &[version], None).is_err());
        let own = authority.sign("client");
        let connection = connect(&broker, &authority, &[version], Some(own));
        exchange_a_message(connection.expect("a connection"));
        let forged = Authority::new().sign("client");
        assert!(connect(&broker, &authority, &[version], Some(forged)).is_err());
    }
    let told = "error during handshake for protocol 'amqp/ssl' and peer 127.0.0.1:";
    let _ = broker.server.log_with(told);
}

#[test]
fn a_certificate_is_optional_when_it_is_verified_but_not_demanded() {
    let (broker, authority) = broker("ssl_options.verify = verify_peer");
    exchange_a_message(connect(&broker, &authority, &[&TLS13], None).expect("a connection"));
    let forged = Authority::new().sign("client");
    assert!(connect(&broker, &authority, &[&TLS13], Some(forged)).is_err());
}

#[test]
fn plain_clients_on_the_tls_port_and_the_other_way_round_harm_nobody() {
    let (broker, authority) = broker("");
    let mut plain = RawClient::connect(&broker.server.tls_address()).expect("it accepts");
    plain.send_bytes(b"AMQP\0\0\x09\x01");
    while !matches!(plain.receive(), it::Received::Closed) {}
    let mut hello = RawClient::connect(&broker.server.address()).expect("it accepts");
    hello.send_bytes(b"\x16\x03\x01\0\x05\x01\0\0\x01\0");
    while !matches!(hello.receive(), it::Received::Closed) {}
    let told = [
        "is connecting to the 'amqp/ssl' listener without using TLS",
        "TLS client detected on non-TLS AMQP port",
    ];
    for line in told {
        let _ = broker.server.log_with(line);
    }
    exchange_a_message(connect(&broker, &authority, &[&TLS13], None).expect("a connection"));
}

#[test]
fn a_client_has_only_so_long_for_its_handshake() {
    let (broker, _) = broker("ssl_handshake_timeout = 200");
    let start = Instant::now();
    let mut silent = RawClient::connect(&broker.server.tls_address()).expect("it accepts");
    assert_eq!(silent.receive(), it::Received::Closed);
    let waited = start.elapsed();
    assert!(Duration::from_millis(200) <= waited, "{waited:?}");
    assert!(waited < Duration::from_secs(4), "{waited:?}: the default is 5 s");
}

/// Logs in by certificate; `connection.start` and what came of it.
fn log_in_by_certificate(
    broker: &Broker,
    authority: &Authority,
    own: Option<&str>,
) -> (String, Result<RawClient, String>) {
    let own = own.map(|name| authority.sign(name));
    let own = own.as_ref().map(|(certificate, key)| (certificate.as_str(), key.as_str()));
    let address = broker.server.tls_address();
    let mut client =
        RawClient::connect_tls_as(&address, &authority.certificate, own).expect("it accepts");
    let start = client.start().expect("a greeting");
    let login =
        Login { mechanism: "EXTERNAL".to_owned(), response: Some(Vec::new()), ..Login::default() };
    let opened = client.log_in(&login).and_then(|tune| client.open(&login, &tune));
    (start, opened.map(|_| client))
}

const EXTERNAL: &str = "auth_mechanisms.1 = EXTERNAL\nauth_mechanisms.2 = PLAIN\n\
    ssl_options.verify = verify_peer\n";

#[test]
fn a_certificate_is_a_login() {
    let (broker, authority) = broker(EXTERNAL);
    broker.ctl_words(&["add_user", "CN=ann,O=Hares", "unused"]);
    broker.ctl_words(&["set_permissions", "CN=ann,O=Hares", ".*", ".*", ".*"]);
    let (start, client) = log_in_by_certificate(&broker, &authority, Some("ann"));
    assert!(start.contains("mechanisms=\"EXTERNAL PLAIN\""), "{start}");
    let _client = client.expect("ann is known");
    let shown = broker.ctl("list_connections user auth_mechanism --no-table-headers");
    assert_eq!(shown, "CN=ann,O=Hares\tEXTERNAL\n");
    let (_, stranger) = log_in_by_certificate(&broker, &authority, Some("bob"));
    let refused = stranger.err().expect("bob is not known");
    assert!(refused.contains("403"), "{refused}");
    let (_, nobody) = log_in_by_certificate(&broker, &authority, None);
    assert!(nobody.is_err());
    for why in [
        "EXTERNAL login refused: user 'CN=bob,O=Hares' - invalid credentials",
        "EXTERNAL login refused: connection peer presented no TLS (x.509) certificate",
    ] {
        let _ = broker.server.log_with(why);
    }
}

#[test]
fn listings_show_the_certificate_of_a_client() {
    let (broker, authority) = broker(EXTERNAL);
    broker.ctl_words(&["add_user", "CN=ann,O=Hares", "unused"]);
    broker.ctl_words(&["set_permissions", "CN=ann,O=Hares", ".*", ".*", ".*"]);
    let columns = "ssl ssl_protocol ssl_hash peer_cert_subject peer_cert_issuer peer_cert_validity";
    let list = || broker.ctl(&format!("list_connections {columns} --no-table-headers"));
    let (_, ann) = log_in_by_certificate(&broker, &authority, Some("ann"));
    let expected = "true\ttlsv1.3\taead\tCN=ann,O=Hares\tCN=rcgen self signed cert\t\
        1975-01-01T00:00:00Z - 4096-01-01T00:00:00Z\n";
    assert_eq!(list(), expected);
    drop(ann);
    wait_until("she is gone", || list().is_empty().then_some(()));
    let nobody = connect(&broker, &authority, &[&TLS12], None).expect("a connection");
    assert_eq!(list(), "true\ttlsv1.2\taead\t\t\t\n");
    step(nobody.close()).expect("it was open");
}

#[test]
fn the_name_may_stand_elsewhere_in_the_certificate() {
    for from in ["common_name", "subject_alternative_name"] {
        let (broker, authority) = broker(&format!("{EXTERNAL}ssl_cert_login_from = {from}"));
        broker.ctl("add_user ann unused");
        broker.ctl("set_permissions ann .* .* .*");
        let (_, client) = log_in_by_certificate(&broker, &authority, Some("ann"));
        client.expect("ann is known");
    }
}

#[test]
fn an_unchecked_certificate_is_no_login() {
    let (broker, authority) = broker("auth_mechanisms.1 = EXTERNAL");
    let (_, client) = log_in_by_certificate(&broker, &authority, Some("guest"));
    assert!(client.is_err());
    let _ = broker.server.log_with("EXTERNAL login refused: TLS configuration is unsafe");
}

#[test]
fn external_is_not_offered_without_tls() {
    let (broker, _) = broker(EXTERNAL);
    let mut plain = RawClient::connect(&broker.server.address()).expect("it accepts");
    let start = plain.start().expect("a greeting");
    assert!(start.contains("mechanisms=PLAIN"), "{start}");
}
