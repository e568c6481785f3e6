use expect_test::{Expect, expect};

use super::*;
use crate::{ListenAddress, TlsVerify, TlsVersion};

/// What a text changes: the lines of the configuration that it would not have without it.
fn check(text: &str, expected: Expect) {
    let env = |name: &str| (name == "SEED_USER").then(|| "ann".to_owned());
    let shown = match Config::from_text("rabbitmq.conf", text, &env) {
        Err(error) => error.to_string(),
        Ok(loaded) => {
            let usual = format!("{:#?}", Config::default());
            let is_usual = |line: &&str| usual.lines().any(|usual| usual == *line);
            let actual = format!("{:#?}", loaded.config);
            let mut lines: Vec<String> = actual
                .lines()
                .filter(|line| !is_usual(line))
                .map(|line| line.trim().to_owned())
                .collect();
            lines.extend(loaded.notices.iter().map(|n| format!("notice {}: {}", n.place, n.text)));
            lines.join("\n")
        }
    };
    expected.assert_eq(&shown);
}

fn config(text: &str) -> Config {
    Config::from_text("rabbitmq.conf", text, &|_| None).expect("a good file").config
}

#[test]
fn nothing_said_is_rabbitmq_s_defaults() {
    check("", expect![""]);
}

#[test]
fn the_http_api_listens_where_told() {
    let ports = |text: &str| {
        let management = config(text).management;
        (management.tcp.map(|it| it.port), management.tls.map(|it| it.port))
    };
    let files = "management.ssl.certfile = /c.pem\nmanagement.ssl.keyfile = /k.pem\n";
    assert_eq!(ports(""), (Some(15672), None));
    assert_eq!(ports("management.tcp.ip = ::1"), (Some(15672), None));
    assert_eq!(ports("management.tcp.port = 8080"), (Some(8080), None));
    assert_eq!(ports(&format!("{files}management.ssl.port = 8443")), (None, Some(8443)));
    let both = format!("{files}management.ssl.ip = ::1\nmanagement.tcp.port = 8080");
    assert_eq!(ports(&both), (Some(8080), Some(15671)));
    check(
        "management.ssl.port = 15671",
        expect![
            "rabbitmq.conf: management.ssl needs management.ssl.certfile and management.ssl.keyfile"
        ],
    );
}

#[test]
fn metrics_are_where_told() {
    let ports = |text: &str| {
        let prometheus = config(text).prometheus;
        (prometheus.tcp.map(|it| it.port), prometheus.tls.map(|it| it.port))
    };
    let files = "prometheus.ssl.certfile = /c.pem\nprometheus.ssl.keyfile = /k.pem\n";
    assert_eq!(ports(""), (Some(15692), None));
    assert_eq!(ports("prometheus.tcp.listener = none"), (None, None));
    assert_eq!(ports("prometheus.tcp.listener = 127.0.0.1:9090"), (Some(9090), None));
    assert_eq!(ports("prometheus.tcp.ip = ::1"), (Some(15692), None));
    assert_eq!(ports(&format!("{files}prometheus.ssl.port = 9443")), (Some(15692), Some(9443)));
    let only_tls = format!("{files}prometheus.tcp.listener = none\nprometheus.ssl.ip = ::1");
    assert_eq!(ports(&only_tls), (None, Some(15691)));
    assert_eq!(config("prometheus.path = /my/metrics/").prometheus.path, "/my/metrics");
    check(
        "prometheus.ssl.port = 15691",
        expect![
            "rabbitmq.conf: prometheus.ssl needs prometheus.ssl.certfile and prometheus.ssl.keyfile"
        ],
    );
}

#[test]
fn memory_is_counted_as_told() {
    let told = config(
        "vm_memory_calculation_strategy = legacy\ntotal_memory_available_override_value = 2GiB",
    );
    assert_eq!(told.memory_calculation, crate::MemoryCalculation::Allocated);
    assert_eq!(told.total_memory_override, Some(2 << 30));
}

#[test]
fn listeners() {
    let listeners = config("listeners.tcp.1 = 5673\nlisteners.tcp.local = ::1:5674").listeners;
    let at = |ip: Option<&str>, port| ListenAddress {
        ip: ip.map(|ip| ip.parse().expect("an address")),
        port,
    };
    assert_eq!(listeners.tcp, [at(None, 5673), at(Some("::1"), 5674)]);
    assert_eq!(config("listeners.tcp = none").listeners.tcp, []);
    let tls = config(
        "listeners.ssl.default = 5671\nssl_options.certfile = /c.pem\nssl_options.keyfile = /k.pem\n\
         ssl_options.verify = verify_peer\nssl_options.versions.1 = tlsv1.3",
    );
    assert_eq!(tls.listeners.tls, [at(None, 5671)]);
    assert_eq!(tls.tls.verify, TlsVerify::Peer);
    assert_eq!(tls.tls.versions, [TlsVersion::V13]);
    check(
        "listeners.ssl.1 = 5671",
        expect!["rabbitmq.conf: listeners.ssl needs ssl_options.certfile and ssl_options.keyfile"],
    );
    check(
        "listeners.tcp.1 = localhost:5672",
        expect![[
            r#"rabbitmq.conf:1: Error transforming datatype for: listeners.tcp.1: "localhost:5672" cannot be converted to a(n) IP"#
        ]],
    );
}

#[test]
fn users() {
    assert_eq!(config("default_user = ann").default_user.name, "ann");
    check("default_user = $(SEED_USER)", expect![[r#"name: "ann","#]]);
    check(
        "default_vhost = v\ndefault_user = $(default_vhost)1",
        expect![[r#"
        name: "v1",
        vhost: "v","#]],
    );
    check(
        "default_user = $(NOBODY)",
        expect![
            "rabbitmq.conf:1: '$(NOBODY)' substitution requires a config variable or an environment variable 'NOBODY' to be set"
        ],
    );
    check(
        "default_user = $(default_user)",
        expect!["rabbitmq.conf:1: Circular RHS substitutions: $(default_user)"],
    );
    let tags = config("default_user_tags.monitoring = true\ndefault_user_tags.x = false");
    assert_eq!(tags.default_user.tags, ["monitoring"]);
    assert_eq!(config("loopback_users = none").auth.loopback_users, [""; 0]);
    assert_eq!(config("loopback_users.guest = false").auth.loopback_users, [""; 0]);
    assert_eq!(config("loopback_users.ann = true").auth.loopback_users, ["ann"]);
    let mechanisms = config("auth_mechanisms.2 = PLAIN\nauth_mechanisms.1 = AMQPLAIN").auth;
    assert_eq!(mechanisms.mechanisms, ["AMQPLAIN", "PLAIN"]);
    assert_eq!(config("anonymous_login_user = none").auth.anonymous_login_user, None);
    check(
        "default_pass = encrypted:x",
        expect![
            "rabbitmq.conf:1: Error transforming datatype for: default_pass: encrypted values are not supported yet"
        ],
    );
}

#[test]
fn logins_by_certificate() {
    check(
        "ssl_cert_login_from = subject_alternative_name\nssl_cert_login_san_type = email\n\
         ssl_cert_login_san_index = 2",
        expect![[r#"
            cert_login_from: SubjectAlternativeName,
            cert_login_san_type: Email,
            cert_login_san_index: 2,"#]],
    );
    let spelt = config("ssl_cert_login_from = subject_alt_name");
    let meant = config("ssl_cert_login_from = subject_alternative_name");
    assert_eq!(format!("{spelt:?}"), format!("{meant:?}"));
    check("ssl_cert_login_from = common_name", expect!["cert_login_from: CommonName,"]);
    check(
        "ssl_cert_login_from = nobody",
        expect![[
            r#"rabbitmq.conf:1: Error transforming datatype for: ssl_cert_login_from: "nobody" is not a valid enum value, acceptable values are: distinguished_name, common_name, subject_alternative_name, subject_alt_name"#
        ]],
    );
    check(
        "ssl_cert_login_san_type = phone",
        expect![[
            r#"rabbitmq.conf:1: Error transforming datatype for: ssl_cert_login_san_type: "phone" is not a valid enum value, acceptable values are: dns, ip, email, uri, other_name"#
        ]],
    );
    check(
        "ssl_cert_login_san_index = first",
        expect![[
            r#"rabbitmq.conf:1: Error transforming datatype for: ssl_cert_login_san_index: "first" cannot be converted to a(n) integer"#
        ]],
    );
}

#[test]
fn message_interceptors() {
    check(
        "message_interceptors.incoming.set_header_timestamp.overwrite = true\n\
         message_interceptors.incoming.set_header_routing_node.overwrite = false\n\
         message_interceptors.outgoing.timestamp.enabled = true",
        expect![[r#"
            timestamp: Some(
            true,
            routing_node: Some(
            false,
            is_sent_time: true,"#]],
    );
    check(
        "message_interceptors.outgoing.timestamp.enabled = yes",
        expect![[
            r#"rabbitmq.conf:1: Error transforming datatype for: message_interceptors.outgoing.timestamp.enabled: "yes" is not a valid enum value, acceptable values are: true, false"#
        ]],
    );
}

#[test]
fn limits() {
    check(
        "heartbeat = 10\nframe_max = 64KB\nmax_connections = infinity\nvhost_max = 5\n\
         handshake_timeout = 2500\nmax_message_size = 1000",
        expect![[r#"
            heartbeat: 10,
            frame_max: 65536,
            max_message_size: 1000,
            2.5s,
            vhost_max: Some(
            5,"#]],
    );
    check(
        "channel_max = 10\nconnection_max = 20",
        expect![[r#"
            channel_max: 10,
            max_connections: Some(
            20,
            notice rabbitmq.conf:1: channel_max was renamed to max_channels_per_connection
            notice rabbitmq.conf:2: connection_max was renamed to max_connections"#]],
    );
    check(
        "max_message_size = 536870913",
        expect![
            "rabbitmq.conf:1: Error transforming datatype for: max_message_size: 536870913 is not between 1 and 536870912 bytes"
        ],
    );
    check(
        "heartbeat = 1s",
        expect![[
            r#"rabbitmq.conf:1: Error transforming datatype for: heartbeat: "1s" cannot be converted to a(n) integer"#
        ]],
    );
    check(
        "heartbeat = 65536",
        expect![
            "rabbitmq.conf:1: Error transforming datatype for: heartbeat: 65536 is outside the range of this setting"
        ],
    );
    check(
        "frame_max = 10TB",
        expect![[
            r#"rabbitmq.conf:1: Error transforming datatype for: frame_max: Error converting value "10TB" to a number of bytes"#
        ]],
    );
}

#[test]
fn alarms() {
    use crate::{DiskFreeLimit, MemoryHighWatermark};
    let absolute = |amount: &str| {
        config(&format!("vm_memory_high_watermark.absolute = {amount}")).memory_high_watermark
    };
    for (amount, bytes) in [
        ("1000", 1000),
        ("2GB", 2_000_000_000),
        ("512MiB", 512 << 20),
        ("1Gi", 1 << 30),
        ("3k", 3000),
    ] {
        assert_eq!(absolute(amount), MemoryHighWatermark::Absolute(bytes), "{amount}");
    }
    let relative =
        config("vm_memory_high_watermark.relative = 0.4\ndisk_free_limit.relative = 1.5");
    assert_eq!(relative.memory_high_watermark, MemoryHighWatermark::Relative(0.4));
    assert_eq!(relative.disk_free_limit, DiskFreeLimit::Relative(1.5));
    check(
        "disk_free_limit.absolute = 5XB",
        expect![[
            r#"rabbitmq.conf:1: Error transforming datatype for: disk_free_limit.absolute: "5XB" cannot be converted to a number of bytes"#
        ]],
    );
    check(
        "disk_free_limit.absolute = 99999999PB",
        expect![[
            r#"rabbitmq.conf:1: Error transforming datatype for: disk_free_limit.absolute: "99999999PB" cannot be converted to a number of bytes"#
        ]],
    );
}

#[test]
fn logs_and_the_rest() {
    check(
        "data_dir = /d\ncluster_name = c\nclassic_queue.confirm = os\n\
         message_memory_limit = 1MiB\n\
         deprecated_features.permit.global_qos = false",
        expect![[r#"
            data_dir: Some(
            "/d",
            cluster_name: Some(
            "c",
            classic_queue_confirm: Os,
            message_memory_limit: 1048576,
            global_qos: false,"#]],
    );
    check(
        "log.console.level = loud",
        expect![[
            r#"rabbitmq.conf:1: Error transforming datatype for: log.console.level: "loud" is not a valid enum value, acceptable values are: debug, info, notice, warning, error, critical, alert, emergency, none"#
        ]],
    );
}

/// Where lines go by a file and the environment, least severe level first.
fn log(text: &str, env: &[(&str, &str)]) -> String {
    let value = |name: &str| env.iter().find(|(it, _)| *it == name).map(|(_, it)| (*it).to_owned());
    let log = Config::from_text("rabbitmq.conf", text, &value).expect("a good file").config.log;
    let mut places = Vec::new();
    let shown = |place: &str, output: &crate::LogOutput| {
        format!("{place} {} {:?}", output.level.name(), output.format.kind)
    };
    places.extend(
        log.console.map(|it| shown(if it.is_stderr { "stderr" } else { "stdout" }, &it.output)),
    );
    places.extend(log.file.map(|it| {
        let name = it.name.map_or("usual".to_owned(), |it| it.display().to_string());
        shown(&name, &it.output)
    }));
    places.extend(log.exchange.map(|it| shown("exchange", &it)));
    places.extend(log.categories.iter().map(|it| {
        let level = it.level.map_or("as output", crate::LogLevel::name);
        format!("{}: {level}{}", it.name, if it.file.is_some() { ", own file" } else { "" })
    }));
    places.join("; ")
}

#[test]
fn lines_go_where_the_file_says() {
    assert_eq!(log("", &[]), "stdout info Plaintext");
    assert_eq!(
        log("log.console.stdio = stderr\nlog.console.level = debug", &[]),
        "stderr debug Plaintext"
    );
    assert_eq!(log("log.console = false\nlog.file = a.log", &[]), "a.log info Plaintext");
    assert_eq!(log("log.console.level = none", &[]), "");
    // A level switches an output on.
    assert_eq!(log("log.console = false\nlog.file.level = error", &[]), "usual error Plaintext");
    assert_eq!(log("log.console = false\nlog.file.level = error\nlog.file = false", &[]), "");
    assert_eq!(
        log("log.console = false\nlog.exchange.level = error", &[]),
        "exchange error Plaintext"
    );
    // What is said of all gives way to what is said of one.
    let text = "log.default.level = warning\nlog.exchange = true\nlog.exchange.level = error\n\
                log.console.formatter = json\nlog.queue.level = debug\nlog.ra.file = ra.log";
    let expected =
        "stdout warning Json; exchange error Plaintext; queue: debug; ra: as output, own file";
    assert_eq!(log(text, &[]), expected);
}

#[test]
fn lines_go_where_the_environment_says() {
    let text = "log.file = a.log\nlog.file.level = error";
    assert_eq!(log(text, &[("RABBITMQ_LOGS", "-stderr")]), "stderr info Plaintext");
    assert_eq!(log(text, &[("RABBITMQ_LOGS", "/var/b.log")]), "/var/b.log error Plaintext");
    assert_eq!(log(text, &[("RABBITMQ_LOGS", "exchange:")]), "exchange info Plaintext");
    assert_eq!(
        log(text, &[("RABBITMQ_LOGS", "syslog:")]),
        "stdout info Plaintext; a.log error Plaintext"
    );
    let env = [("RABBITMQ_LOG", "debug,connection=error,channel,nonsense=loud,+json")];
    assert_eq!(log("", &env), "stdout debug Json; connection: error; channel: info");
}

#[test]
fn files_rotate_by_their_own_rules_or_the_default_ones() {
    let text = "log.file = a.log\nlog.file.rotation.size = 1000\nlog.file.rotation.date = $W6D23\n\
                log.default.rotation.count = 5\nlog.queue.file = q.log\nlog.queue.rotation.compress = true";
    let log = config(text).log;
    let shown =
        format!("{:?}\n{:?}", log.file.expect("named").rotation, log.categories[0].rotation);
    expect![[r#"
        LogRotation { size: Some(1000), schedule: Some(LogSchedule { every: Week(6), hour: 23, minute: 0 }), count: 5, is_compressed: false }
        LogRotation { size: None, schedule: None, count: 5, is_compressed: true }"#]]
    .assert_eq(&shown);
    for good in ["$D0", "$H30", "$W0", "$M1D12", "$ML"] {
        let _ = config(&format!("log.file.rotation.date = {good}"));
    }
    check(
        "log.file.rotation.date = $X1\nlog.file.formatter.json.field_map = *:all\n\
         log.file.formatter.plaintext.format = $ x\nlog.nonsense.level = info",
        expect![[r#"
            rabbitmq.conf:1: Error transforming datatype for: log.file.rotation.date: Failed to parse rotation date spec: "$X1"
            rabbitmq.conf:2: Error transforming datatype for: log.file.formatter.json.field_map: "*:all" names all fields
            rabbitmq.conf:3: Error transforming datatype for: log.file.formatter.plaintext.format: "$ x" does not begin with a variable's name
            rabbitmq.conf:4: You've tried to set log.nonsense.level, but there is no setting with that name.
              Did you mean one of these?
                log.console.level
                log.exchange.level
                log.queue.level"#]],
    );
}

#[test]
fn keys_that_guard_something_stop_the_start_unless_they_ask_for_nothing() {
    check(
        "auth_backends.1 = ldap\nauth_backends.2.authz = internal\nssl_options.crl_check = peer\n\
         ssl_options.depth = 2\nssl_options.ciphers.1 = TLS_AES_256_GCM_SHA384\n\
         definitions.https.url = https://example.org/definitions.json",
        expect![[r#"
            rabbitmq.conf:1: auth_backends.1 = ldap is not supported: users are only those kept by the broker itself (internal)
            rabbitmq.conf:3: ssl_options.crl_check = peer is not supported: revoked certificates are not recognized
            rabbitmq.conf:4: ssl_options.depth = 2 is not supported: chains of up to 6 intermediate certificates are accepted
            rabbitmq.conf:5: ssl_options.ciphers.1 = TLS_AES_256_GCM_SHA384 is not supported: the cipher suites are those of rustls, none of which is weak
            rabbitmq.conf:6: definitions.https.url = https://example.org/definitions.json is not supported: definitions are imported from files"#]],
    );
    check(
        "auth_backends.1 = internal\nssl_options.crl_check = false\nssl_options.depth = 10",
        expect![[r#"
            notice rabbitmq.conf:1: auth_backends.1 has no effect yet
            notice rabbitmq.conf:2: ssl_options.crl_check has no effect yet
            notice rabbitmq.conf:3: ssl_options.depth has no effect yet"#]],
    );
}

#[test]
fn keys_without_effect_and_keys_that_do_not_exist() {
    check(
        "collect_statistics = fine\nmqtt.listeners.tcp.1 = 1883\n\
         queue_types.stream.enabled = true\nreverse_dns_lookups = true\n\
         log.syslog = true\ndeprecated_features.permit.ram_node_type = true",
        expect![[r#"
            notice rabbitmq.conf:1: collect_statistics has no effect yet
            notice rabbitmq.conf:2: mqtt.listeners.tcp.1 has no effect yet
            notice rabbitmq.conf:3: queue_types.stream.enabled has no effect yet
            notice rabbitmq.conf:4: reverse_dns_lookups has no effect yet
            notice rabbitmq.conf:5: log.syslog has no effect yet
            notice rabbitmq.conf:6: deprecated_features.permit.ram_node_type has no effect yet"#]],
    );
    check(
        "heartbeet = 10\n\nlisteners.tcp.1 = x\ntrack_auth_attempt_source = true",
        expect![[r#"
        rabbitmq.conf:1: You've tried to set heartbeet, but there is no setting with that name.
          Did you mean one of these?
            heartbeat
            data_dir
            default_user
        rabbitmq.conf:3: Error transforming datatype for: listeners.tcp.1: "x" cannot be converted to a(n) integer
        rabbitmq.conf:4: You've tried to set track_auth_attempt_source, but there is no setting with that name.
          Did you mean one of these?
            auth_http.resource_path
            auth_ldap.port
            auth_oauth2.issuer"#]],
    );
}

#[test]
fn the_last_value_counts() {
    check("heartbeat = 1\nheartbeat = 2", expect!["heartbeat: 2,"]);
}

#[test]
fn files_include_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(&path, text).expect("a file");
        path
    };
    let main =
        write("rabbitmq.conf", "heartbeat = 1\ninclude conf.d/*.conf\ndefault_pass = $(<pw)");
    write("conf.d/20.conf", "heartbeat = 20");
    write("conf.d/10.conf", "heartbeat = 10\nframe_max = 8192");
    write("conf.d/30.txt", "heartbeat = 30");
    write("pw", "secret\n");
    let loaded = Config::load(&[main]).expect("good files").config;
    assert_eq!((loaded.limits.heartbeat, loaded.limits.frame_max), (20, 8192));
    assert_eq!(loaded.default_user.password, "secret");
    let all = Config::load(&[dir.path().join("conf.d")]).expect("good files").config;
    assert_eq!(all.limits.heartbeat, 20);

    let circle = write("circle.conf", "include circle.conf");
    let error = Config::load(&[circle]).expect_err("a circle").to_string();
    assert!(error.ends_with("circle.conf: includes are nested more than 16 deep"), "{error}");
    let bytes = dir.path().join("bytes.conf");
    std::fs::write(&bytes, b"heartbeat = 1\ndefault_user = \xff").expect("a file");
    let error = Config::load(&[bytes]).expect_err("not UTF-8").to_string();
    assert!(error.ends_with("bytes.conf:2: Error converting value on line #2 to unicode"));
}

#[test]
fn rabbitmq_has_every_key_that_is_not_said_to_be_ours() {
    for key in keys::all() {
        let ours = ["data_dir", "classic_queue.confirm", "message_memory_limit"];
        let is_ours = ours.contains(&key.name);
        let words: Vec<String> = key.name.split('.').map(str::to_owned).collect();
        let is_known = KNOWN_KEYS.lines().any(|known| keys::matches(known, &words).is_some());
        assert_ne!(is_known, is_ours, "{}", key.name);
    }
    assert_eq!(KNOWN_KEYS.lines().count(), 1124);
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_strange(text in "(\\PC|\n|=|'|\\.|#|\\$\\(|\\)){0,80}") {
        let _ = Config::from_text("any.conf", &text, &|_| None);
    }

    #[test]
    fn no_value_is_too_strange(idx in 0..64usize, value in "\\PC{1,20}") {
        let key = keys::all().nth(idx % keys::all().count()).expect("within the count");
        let text = format!("{} = '{}'", key.name.replace('$', ""), value.replace('\'', ""));
        let _ = Config::from_text("any.conf", &text, &|_| None);
    }
}
