//! The suites: one entry each. A new suite is one more entry.

use std::time::Duration;

use anyhow::{Context, Result};

/// Something that runs against a broker and reports cases.
pub(super) struct Suite {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) program: Program,
    /// The port of a part of RabbitMQ that nearly all its cases need. Where nothing listens on it
    /// the suite counts as skipped.
    pub(super) needs_port: Option<u16>,
    /// What `rabbitmqctl` does before, one command line each: objects that the suite's own set-up makes.
    pub(super) commands: &'static [&'static str],
    /// After this the suite is ended and counted as failed.
    pub(super) limit: Duration,
}

/// How a suite is got and run.
pub(super) enum Program {
    Pytest(Pytest),
    Node(Node),
    Crate(Crate),
}

/// Tests run by pytest, out of a package's published sources or carried by the project.
pub(super) struct Pytest {
    /// File in `requirements/`; suites that name the same one share an environment.
    pub(super) requirements: &'static str,
    pub(super) source: Source,
    /// Files or folders in the source.
    pub(super) modules: &'static [&'static str],
    /// Modules that only `--full` runs, for their length.
    pub(super) long_modules: &'static [&'static str],
    pub(super) arguments: &'static [&'static str],
    pub(super) environment: &'static [(&'static str, &'static str)],
    /// npm packages that the tests start programs of, in `$CONFORMANCE_NODE`.
    pub(super) node_packages: &'static [&'static str],
}

/// Where tests come from.
pub(super) enum Source {
    /// A folder in `conformance`.
    Carried(&'static str),
    /// The source distribution on PyPI, and its folder once unpacked.
    Sdist { package: &'static str, version: &'static str, folder: &'static str },
}

/// The tests in a package on npm, run by Node's own test runner.
pub(super) struct Node {
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    pub(super) files: &'static [&'static str],
}

/// The tests in a package on crates.io.
pub(super) struct Crate {
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    pub(super) arguments: &'static [&'static str],
    /// Which of its tests, as cargo's options name them.
    pub(super) tests: &'static [&'static str],
    /// Tests that only `--full` runs, for their length.
    pub(super) long_tests: &'static [&'static str],
    /// Examples that end by themselves: each is a case.
    pub(super) examples: &'static [&'static str],
}

const PYTEST: Pytest = Pytest {
    requirements: "clients.txt",
    source: Source::Carried(""),
    modules: &[],
    long_modules: &[],
    arguments: &[],
    environment: &[],
    node_packages: &[],
};

/// The HTTP interface of RabbitMQ's management plugin.
const MANAGEMENT: u16 = 15672;

/// RabbitMQ's metrics.
const METRICS: u16 = 15692;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// All suites, quick ones that users meet first in front.
pub(super) const ALL: &[Suite] = &[
    Suite {
        name: "seeds",
        about: "Programs and command lines from notes that learners of RabbitMQ wrote",
        program: Program::Pytest(Pytest {
            source: Source::Carried("seeds"),
            modules: &["."],
            ..PYTEST
        }),
        needs_port: None,
        commands: &[],
        limit: seconds(240),
    },
    Suite {
        name: "tutorials-python",
        about: "The seven tutorials of RabbitMQ's site, with pika",
        program: Program::Pytest(Pytest {
            source: Source::Carried("tutorials-python"),
            modules: &["."],
            ..PYTEST
        }),
        needs_port: None,
        commands: &[],
        limit: seconds(120),
    },
    Suite {
        name: "tutorials-javascript",
        about: "The tutorials as amqplib publishes them, in both of its interfaces",
        program: Program::Pytest(Pytest {
            source: Source::Carried("tutorials-javascript"),
            modules: &["."],
            node_packages: &["amqplib@2.3.1", "uuid@9.0.1"],
            ..PYTEST
        }),
        needs_port: None,
        commands: &[],
        limit: seconds(120),
    },
    Suite {
        name: "celery",
        about: "A Celery application: tasks, retries, groups, chords, revokes, events, remote control",
        program: Program::Pytest(Pytest {
            requirements: "celery.txt",
            source: Source::Carried("celery"),
            modules: &["."],
            ..PYTEST
        }),
        needs_port: None,
        commands: &[],
        limit: seconds(240),
    },
    Suite {
        name: "replies",
        about: "What has happened, and in which order, once RabbitMQ has replied",
        program: Program::Pytest(Pytest {
            source: Source::Carried("replies"),
            modules: &["."],
            ..PYTEST
        }),
        needs_port: None,
        commands: &[],
        limit: seconds(60),
    },
    Suite {
        name: "prometheus",
        about: "The metrics, read by the parser of Prometheus' Python client",
        program: Program::Pytest(Pytest {
            source: Source::Carried("prometheus"),
            modules: &["."],
            ..PYTEST
        }),
        needs_port: Some(METRICS),
        commands: &[],
        limit: seconds(60),
    },
    Suite {
        name: "kombu",
        about: "kombu's integration tests of its AMQP transport",
        program: Program::Pytest(Pytest {
            source: Source::Sdist { package: "kombu", version: "5.7.0", folder: "kombu-5.7.0" },
            modules: &["t/integration/test_py_amqp.py"],
            ..PYTEST
        }),
        needs_port: None,
        commands: &[],
        limit: seconds(180),
    },
    Suite {
        name: "py-amqp",
        about: "py-amqp's integration tests",
        program: Program::Pytest(Pytest {
            source: Source::Sdist { package: "amqp", version: "5.4.2", folder: "amqp-5.4.2" },
            modules: &["t/integration"],
            // These two talk to a server on the internet, not to a broker.
            arguments: &["-k", "not default_certs"],
            ..PYTEST
        }),
        needs_port: None,
        commands: &[],
        limit: seconds(180),
    },
    Suite {
        name: "amqpstorm",
        about: "AMQPStorm's functional tests, where there is a management interface to check by",
        program: Program::Pytest(Pytest {
            source: Source::Sdist {
                package: "amqpstorm",
                version: "3.1.4",
                folder: "amqpstorm-3.1.4",
            },
            modules: &[
                "amqpstorm/tests/functional/test_basic.py",
                "amqpstorm/tests/functional/test_exchange.py",
                "amqpstorm/tests/functional/test_generic.py",
                "amqpstorm/tests/functional/test_legacy.py",
                "amqpstorm/tests/functional/test_queue.py",
                "amqpstorm/tests/functional/test_reliability.py",
                "amqpstorm/tests/functional/test_tx.py",
            ],
            environment: &[
                ("AMQP_HOST", "localhost"),
                ("AMQP_USERNAME", "guest"),
                ("AMQP_PASSWORD", "guest"),
                ("AMQP_URI", "amqp://guest:guest@localhost:5672/%2F"),
                ("AMQP_HTTP_URL", "http://localhost:15672"),
            ],
            ..PYTEST
        }),
        needs_port: Some(MANAGEMENT),
        commands: &[],
        limit: seconds(180),
    },
    Suite {
        name: "aiormq",
        about: "aiormq's tests; the ones of lost connections only with --full",
        program: Program::Pytest(Pytest {
            requirements: "aio-pika.txt",
            source: Source::Sdist { package: "aiormq", version: "7.2.4", folder: "aiormq-7.2.4" },
            modules: &[
                "tests/test_channel.py",
                "tests/test_channel_futures.py",
                "tests/test_channel_number.py",
                "tests/test_consumer_cancel.py",
                "tests/test_consumer_exceptions.py",
                "tests/test_consumer_publish.py",
                "tests/test_delivery_error.py",
                "tests/test_late_confirms.py",
                "tests/test_nowait.py",
                "tests/test_protocol_errors.py",
                "tests/test_publish_cancel.py",
                "tests/test_writer_shutdown.py",
            ],
            long_modules: &["tests"],
            arguments: &["-p", "docker_stand_in"],
            ..PYTEST
        }),
        needs_port: None,
        commands: &[],
        limit: seconds(300),
    },
    Suite {
        name: "aio-pika",
        about: "aio-pika's tests; the ones of reconnection through a proxy only with --full",
        program: Program::Pytest(Pytest {
            requirements: "aio-pika.txt",
            source: Source::Sdist {
                package: "aio-pika",
                version: "10.2.1",
                folder: "aio_pika-10.2.1",
            },
            modules: &[
                "tests/test_amqp.py",
                "tests/test_close_notification.py",
                "tests/test_connect.py",
                "tests/test_connection_close_state.py",
                "tests/test_consumer_cancel_recovery.py",
                "tests/test_consumer_publish_errors.py",
                "tests/test_json_rpc.py",
                "tests/test_master.py",
                "tests/test_memory_leak.py",
                "tests/test_nowait.py",
                "tests/test_queue_iterator_close.py",
                "tests/test_reconnect_channel_snapshot.py",
                "tests/test_robust_binding_identity.py",
                "tests/test_robust_shutdown.py",
                "tests/test_rpc.py",
                "tests/test_rpc_factory.py",
            ],
            // All but test_robust_recovery.py, which restarts the broker through Docker.
            long_modules: &["tests", "--ignore=tests/test_robust_recovery.py"],
            arguments: &["-p", "docker_stand_in", "-o", "log_cli=false"],
            ..PYTEST
        }),
        needs_port: None,
        commands: &[],
        limit: seconds(600),
    },
    Suite {
        name: "amqplib",
        about: "amqplib's own tests",
        program: Program::Node(Node {
            package: "amqplib",
            version: "2.2.0",
            files: &[
                "test/callback_api.test.js",
                "test/channel_api.test.js",
                "test/connect.test.js",
                "test/recovery.test.js",
            ],
        }),
        needs_port: None,
        commands: &[],
        limit: seconds(120),
    },
    Suite {
        name: "lapin",
        about: "lapin's tests, and those of its examples that end by themselves",
        program: Program::Crate(Crate {
            package: "lapin",
            version: "3.7.2",
            arguments: &["--no-default-features", "--features", "default-runtime"],
            tests: &["--tests"],
            long_tests: &[],
            examples: &["publisher_confirms"],
        }),
        needs_port: None,
        commands: &[],
        limit: seconds(120),
    },
    Suite {
        name: "amqprs",
        about: "amqprs' tests; the one of heartbeats only with --full",
        program: Program::Crate(Crate {
            package: "amqprs",
            version: "2.1.5",
            arguments: &[],
            tests: &[
                "--lib",
                "--test=test_callback",
                "--test=test_consume",
                "--test=test_get",
                "--test=test_mixed_type_consumers",
                "--test=test_publish",
                "--test=test_publish_return",
                "--test=test_update_secret",
            ],
            long_tests: &["--test=test_heartbeat", "--test=test_io_error_handling"],
            examples: &[],
        }),
        needs_port: None,
        commands: &[],
        limit: seconds(180),
    },
    Suite {
        name: "rabbitmq_http_client",
        about: "The tests of RabbitMQ's client of the HTTP API, blocking and async",
        program: Program::Crate(Crate {
            package: "rabbitmq_http_client",
            version: "0.93.0",
            arguments: &["--features", "async,blocking,tabled,native-tls"],
            tests: &["--test=integration"],
            long_tests: &["--test=unit", "--test=proptests"],
            examples: &[],
        }),
        needs_port: Some(MANAGEMENT),
        commands: &[
            "add_user rust3 rust3",
            "set_permissions -p / rust3 .* .* .*",
            "add_vhost rust/http/api/client",
            "set_permissions -p rust/http/api/client guest .* .* .*",
            "set_cluster_name rabbitmq@localhost",
        ],
        limit: seconds(600),
    },
    Suite {
        name: "rabbitmqadmin",
        about: "The tests of rabbitmqadmin v2",
        program: Program::Crate(Crate {
            package: "rabbitmqadmin",
            version: "2.35.0",
            arguments: &[],
            tests: &["--test=integration"],
            long_tests: &["--test=unit", "--test=proptests"],
            examples: &[],
        }),
        needs_port: Some(MANAGEMENT),
        commands: &[
            "add_vhost rust/rabbitmqadmin",
            "set_permissions -p rust/rabbitmqadmin guest .* .* .*",
            "set_cluster_name rabbitmq@localhost",
        ],
        limit: seconds(600),
    },
];

/// The suites of these names; all when none is named.
pub(super) fn chosen(names: &[String]) -> Result<Vec<&'static Suite>> {
    if names.is_empty() {
        return Ok(ALL.iter().collect());
    }
    names
        .iter()
        .map(|name| {
            ALL.iter()
                .find(|suite| suite.name == name)
                .with_context(|| format!("no suite is named {name}; see --list"))
        })
        .collect()
}
