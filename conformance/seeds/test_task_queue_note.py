"""Note 0: a task queue and publish/subscribe with pika, and what rabbitmqctl shows of them."""

import pathlib

import pytest

from programs import clear, python, table

TOGETHER = pathlib.Path(__file__).parent / "together.py"
SERVE = "    print('waiting')\n    channel.start_consuming()"


def together(*pieces):
    return python(TOGETHER, *pieces)


@pytest.fixture(autouse=True)
def fresh():
    clear(queues=["tasks"], exchanges=["logs"])
    yield
    clear(queues=["tasks"], exchanges=["logs"])


def test_a_message_waits_in_the_queue_until_it_is_received():
    together("0/connect.py", "0/send.py").finish()
    listed = table("list_queues")
    assert listed[0] == ["name", "messages"]
    assert ["tasks", "1"] in listed
    with together("0/connect.py", "0/receive.py") as receiver:
        assert receiver.expect("Hello") == "'tasks': body=b'Hello world!'"


def test_an_unacknowledged_message_is_listed_and_given_to_the_next_receiver():
    together("0/connect.py", "0/send.py").finish()
    keep = "    def on_message(ch, method, properties, body): print('kept', body)"
    subscribe = "    channel.basic_consume(queue='tasks', on_message_callback=on_message)"
    with together("0/connect.py", "0/fair_receive.py", "-c", keep, "-c", subscribe, "-c", SERVE) as first:
        first.expect("kept")
        listed = table("list_queues", "name", "messages_ready", "messages_unacknowledged")
        assert listed[0] == ["name", "messages_ready", "messages_unacknowledged"]
        assert ["tasks", "0", "1"] in listed
        first.kill()
    said = "    channel.add_on_cancel_callback(print)"
    with together("0/connect.py", "0/fair_receive.py", "0/acknowledge.py", "-c", said, "-c", SERVE) as second:
        second.expect("waiting")
        wait_until_empty("tasks")
        assert ["tasks", "0", "0"] in table("list_queues", "name", "messages_ready", "messages_unacknowledged")


def wait_until_empty(name):
    """Asks until all was acknowledged; the test's own time limit ends a wait in vain."""
    while [name, "0"] not in table("list_queues"):
        pass


def test_fair_dispatch_shares_messages_among_workers_that_are_free():
    send = "channel.basic_publish('', 'tasks', str(number).encode())"
    open_ = "channel = connection.channel()\nchannel.queue_declare('tasks', durable=True)"
    work = (
        "    def on_message(ch, method, properties, body):\n"
        "        print('got', body.decode())\n"
        "        connection.sleep(0.2)\n"
        "        ch.basic_ack(delivery_tag = method.delivery_tag)\n"
        "    channel.basic_consume(queue='tasks', on_message_callback=on_message)"
    )
    together("0/connect.py", "-c", open_).finish()
    worker = ["0/connect.py", "0/fair_receive.py", "-c", work, "-c", SERVE]
    with together(*worker) as one, together(*worker) as two:
        one.expect("waiting")
        two.expect("waiting")
        together("0/connect.py", "-c", open_, "-c", f"for number in range(6): {send}").finish()
        got = [program.expect("got") for _ in range(2) for program in (one, two)]
        assert len(set(got)) == 4


def test_a_persistent_message_in_a_durable_queue():
    message = "channel = connection.channel()\nmessage = b'keep me'"
    together("0/connect.py", "-c", message, "0/durable.py").finish()
    read = (
        "channel = connection.channel()\n"
        "_, properties, body = channel.basic_get('tasks', auto_ack=True)\n"
        "print(properties.delivery_mode, body)"
    )
    assert together("0/connect.py", "-c", read).finish() == ["2 b'keep me'"]


def test_exchanges_and_bindings_are_listed_as_the_note_shows():
    subscriber = (
        "channel = connection.channel()\n"
        "channel.queue_declare('tasks', durable=True)\n"
        "channel.exchange_declare('logs', 'fanout')\n"
        "name = channel.queue_declare('', exclusive=True).method.queue\n"
        "channel.queue_bind(name, 'logs', routing_key=name)\n"
        "print('bound', name)\n"
        "channel.basic_consume(name, print)\n"
        "channel.start_consuming()"
    )
    with together("0/connect.py", "-c", subscriber) as program:
        name = program.expect("^bound ").split()[1]
        assert name.startswith("amq.gen-")
        exchanges = table("list_exchanges")
        assert exchanges[0] == ["name", "type"]
        for row in [
            ["amq.rabbitmq.trace", "topic"],
            ["amq.direct", "direct"],
            ["amq.match", "headers"],
            ["amq.headers", "headers"],
            ["amq.fanout", "fanout"],
            ["amq.topic", "topic"],
            ["", "direct"],
            ["logs", "fanout"],
        ]:
            assert row in exchanges
        bindings = table("list_bindings")
        kinds = ["source_name", "source_kind", "destination_name", "destination_kind"]
        assert bindings[0] == [*kinds, "routing_key", "arguments"]
        assert ["", "exchange", "tasks", "queue", "tasks", "[]"] in bindings
        assert ["logs", "exchange", name, "queue", name, "[]"] in bindings
