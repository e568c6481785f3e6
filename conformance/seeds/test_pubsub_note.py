"""Notes 3 and 4: a producer and a consumer of greetings, durable tasks, logs, with pika."""

import pathlib

import pytest

from programs import clear, python, table

FOLDER = pathlib.Path(__file__).parent
CONNECT = "import pika, time\nconnection = pika.BlockingConnection(pika.ConnectionParameters('localhost'))\nchannel = connection.channel()"
SERVE = "print('waiting')\nchannel.start_consuming()"


def together(*pieces):
    return python(FOLDER / "together.py", *pieces)


@pytest.fixture(autouse=True)
def fresh():
    clear(queues=["hello"], exchanges=["greeting", "logs"])
    yield
    clear(queues=["hello"], exchanges=["greeting", "logs"])


def test_a_direct_exchange_without_a_binding_discards_and_with_one_delivers():
    python(FOLDER / "3/producer.py").finish()
    assert ["greeting", "direct"] in table("list_exchanges")
    assert ["hello", "0"] in table("list_queues")
    together("-c", CONNECT, "-c", "channel.queue_bind('hello', 'greeting')").finish()
    with python(FOLDER / "3/consumer.py") as consumer:
        python(FOLDER / "3/producer.py").finish()
        consumer.expect(r" \[x\] Received b'Hello World!'")


def test_durable_tasks_are_acknowledged_when_done():
    send = "message = 'work.'"
    together("-c", CONNECT, "4/declare_durable.py", "-c", send, "4/publish_persistent.py", "-c", "connection.close()").finish()
    consume = "channel.basic_qos(prefetch_count=1)\nchannel.basic_consume('hello', callback)"
    with together("-c", CONNECT, "4/declare_durable.py", "4/acknowledge.py", "-c", consume, "-c", SERVE) as worker:
        assert worker.expect("Received") == " [x] Received work."
        worker.expect("Done")
        # It says so before it acknowledges.
        while ["hello", "0", "0"] not in table("list_queues", "name", "messages_ready", "messages_unacknowledged"):
            pass


def test_logs_reach_a_temporary_queue_that_ends_with_its_connection():
    bind = (
        "channel.exchange_declare('logs', 'fanout')\n"
        "channel.queue_bind(result.method.queue, 'logs')\n"
        "print('bound', result.method.queue)\n"
        "channel.basic_consume(result.method.queue, lambda *it: print('log', it[3]), auto_ack=True)"
    )
    with together("-c", CONNECT, "4/exclusive_queue.py", "-c", bind, "-c", SERVE) as subscriber:
        name = subscriber.expect("^bound").split()[1]
        subscriber.expect("waiting")
        together("-c", CONNECT, "-c", "message = 'hi'", "4/publish_logs.py", "-c", "connection.close()").finish()
        subscriber.expect("log b'hi'")
    while any(row[0] == name for row in table("list_queues")):
        pass


def test_a_temporary_queue_without_exclusive_outlives_its_connection():
    name, = together("-c", CONNECT, "4/fresh_queue.py", "-c", "print(result.method.queue)").finish()
    assert [name, "0"] in table("list_queues")
    clear(queues=[name])
