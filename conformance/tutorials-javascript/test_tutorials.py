"""The tutorials in JavaScript, as amqplib publishes them, with promises and with callbacks."""

import os
import pathlib

import pytest

from programs import Program, clear

EXAMPLES = pathlib.Path(os.environ["CONFORMANCE_NODE"]) / "node_modules/amqplib/examples"

both = pytest.mark.parametrize("interface", ["tutorials", "tutorials/callback_api"])


def node(interface, name, *arguments):
    return Program("node", EXAMPLES / interface / f"{name}.js", *arguments)


@pytest.fixture(autouse=True)
def fresh():
    everything = {
        "queues": ["hello", "task_queue", "rpc_queue"],
        "exchanges": ["logs", "direct_logs", "topic_logs"],
    }
    clear(**everything)
    yield
    clear(**everything)


@both
def test_one_hello_world(interface):
    with node(interface, "receive") as receive:
        receive.expect("Waiting for")
        node(interface, "send").finish()
        receive.expect("Received 'Hello World!'")


@both
def test_two_work_queues(interface):
    with node(interface, "worker") as one:
        one.expect("Waiting for messages")
        with node(interface, "worker") as two:
            two.expect("Waiting for messages")
            node(interface, "new_task", "first..").finish()
            one.expect("Received 'first..'")
            node(interface, "new_task", "second").finish()
            two.expect("Received 'second'")
            two.expect("Done")
            one.expect("Done")


@both
def test_three_publish_subscribe(interface):
    with node(interface, "receive_logs") as one, node(interface, "receive_logs") as two:
        one.expect("Waiting for logs")
        two.expect("Waiting for logs")
        node(interface, "emit_log", "to all").finish()
        one.expect("'to all'")
        two.expect("'to all'")


@both
def test_four_routing(interface):
    with node(interface, "receive_logs_direct", "warning", "error") as severe:
        severe.expect("Waiting for logs")
        node(interface, "emit_log_direct", "info", "harmless").finish()
        node(interface, "emit_log_direct", "error", "broken").finish()
        assert "broken" in severe.expect("harmless|broken")


@both
def test_five_topics(interface):
    with node(interface, "receive_logs_topic", "kern.*", "#.critical") as receive:
        receive.expect("Waiting for logs")
        for key in ["cron.info", "kern.info", "a.b.critical"]:
            node(interface, "emit_log_topic", key, key.upper()).finish()
        assert "KERN.INFO" in receive.expect(r"CRON|KERN|A\.B")
        assert "A.B.CRITICAL" in receive.expect(r"CRON|KERN|A\.B")


@both
def test_six_rpc(interface):
    with node(interface, "rpc_server") as server:
        server.expect("Awaiting RPC requests")
        node(interface, "rpc_client", "20").expect("Got 6765")


def test_seven_publisher_confirms():
    assert "All messages done" in node(".", "waitForConfirms").finish()
