"""What RabbitMQ's metrics are to the parser of Prometheus' own Python client."""

import gzip
import urllib.request

import pika
import pytest
from prometheus_client.parser import text_string_to_metric_families

FAMILIES = [
    "node_metrics",
    "queue_coarse_metrics",
    "queue_metrics",
    "channel_metrics",
    "connection_metrics",
    "vhost_status",
    "exchange_bindings",
]
DETAILED = "/metrics/detailed?" + "&".join(f"family={name}" for name in FAMILIES)
PATHS = ["/metrics", "/metrics/per-object", "/metrics/memory-breakdown", DETAILED]
ODD = 'odd "name" \\ é'


@pytest.fixture
def channel():
    connection = pika.BlockingConnection()
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare(ODD)
    channel.basic_publish("", ODD, b"hello")
    yield channel
    channel.queue_delete(ODD)
    connection.close()


def scraped(path):
    request = urllib.request.Request(
        "http://localhost:15692" + path, headers={"accept-encoding": "gzip"}
    )
    with urllib.request.urlopen(request) as reply:
        assert reply.headers["content-encoding"] == "gzip"
        text = gzip.decompress(reply.read()).decode()
    assert text.endswith("\n")
    return list(text_string_to_metric_families(text))


@pytest.mark.parametrize("path", PATHS)
def test_every_family_is_there_once_with_a_type_and_a_help(channel, path):
    families = scraped(path)
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    for family in families:
        assert family.documentation, family.name
        assert family.type in {"gauge", "counter", "unknown", "summary", "histogram"}, family.name
        labels = [tuple(sorted(sample.labels.items())) + (sample.name,) for sample in family.samples]
        assert len(labels) == len(set(labels)), family.name


def test_names_come_out_as_they_went_in(channel):
    samples = [
        sample
        for family in scraped("/metrics/per-object")
        if family.name == "rabbitmq_queue_messages_ready"
        for sample in family.samples
        if sample.labels["queue"] == ODD
    ]
    assert [(sample.labels["vhost"], sample.value) for sample in samples] == [("/", 1.0)]
