"""Note 1: sending, receiving, workers that sleep for each dot, publish/subscribe, with pika."""

import pathlib

import pytest

from programs import clear, python, table

FOLDER = pathlib.Path(__file__).parent
CONNECT = "import pika, sys, time\nconnection = pika.BlockingConnection(pika.ConnectionParameters('localhost'))\nchannel = connection.channel()"
MESSAGE = "message = ' '.join(sys.argv[1:]) or 'Hello'"
SERVE = "print(' [*] Waiting')\nchannel.start_consuming()"


def together(*pieces):
    return python(FOLDER / "together.py", *pieces)


@pytest.fixture(autouse=True)
def fresh():
    clear(queues=["hello", "task_queue"], exchanges=["logs"])
    yield
    clear(queues=["hello", "task_queue"], exchanges=["logs"])


def test_hello_world_in_either_order():
    python(FOLDER / "1/send.py").finish()
    with python(FOLDER / "1/receive.py") as receive:
        assert receive.expect("Received") == " [x] Received b'Hello World!'"
        sent = python(FOLDER / "1/send.py").finish()
        assert sent == [" [x] Sent 'Hello World!'"]
        assert receive.expect("Received") == " [x] Received b'Hello World!'"


def test_tasks_go_to_the_workers_in_turn():
    declare = "channel.queue_declare(queue='hello')"
    worker = ["-c", CONNECT, "-c", declare, "1/acknowledge.py", "-c", SERVE]
    with together(*worker) as one:
        one.expect("Waiting")
        give_tasks(one, worker)


def give_tasks(one, worker):
    with together(*worker) as two:
        two.expect("Waiting")
        publish = "channel.basic_publish(exchange='', routing_key='hello', body=message)\nconnection.close()"
        words = ["First", "Second", "Third", "Fourth", "Fifth"]
        for dots, word in enumerate(words, 1):
            message = f"message = {word + ' message' + '.' * dots!r}"
            together("-c", CONNECT, "-c", message, "-c", publish).finish()
        got = [one.expect("Received"), two.expect("Received"), one.expect("Received"), two.expect("Received")]
        got.append(one.expect("Received"))
        assert got == [f" [x] Received b'{word} message{'.' * dots}'" for dots, word in enumerate(words, 1)]
        one.expect("Done")


def test_a_task_whose_worker_dies_goes_to_another():
    declare = "channel.queue_declare(queue='hello', durable=True)"
    publish = "channel.basic_publish(exchange='', routing_key='hello', body='x')\nconnection.close()"
    together("-c", CONNECT, "1/declare_durable.py", "-c", publish).finish()
    holder = "def callback(ch, method, properties, body): print('holding', method.redelivered)\nchannel.basic_consume('hello', callback)"
    with together("-c", CONNECT, "-c", declare, "-c", holder, "-c", SERVE) as first:
        assert first.expect("holding") == "holding False"
        columns = ["name", "messages_ready", "messages_unacknowledged"]
        assert table("list_queues", *columns)[0] == columns
        assert ["hello", "0", "1"] in table("list_queues", *columns)
        first.kill()
    with together("-c", CONNECT, "-c", declare, "-c", holder, "-c", SERVE) as second:
        assert second.expect("holding") == "holding True"


def test_automatic_acknowledgement_leaves_nothing_behind():
    python(FOLDER / "1/send.py").finish()
    callback = "def callback(ch, method, properties, body):\n    print('got', body)"
    with together("-c", CONNECT, "-c", callback, "1/consume_auto_ack.py", "-c", SERVE) as receive:
        receive.expect("got b'Hello World!'")
        assert ["hello", "0", "0"] in table("list_queues", "name", "messages_ready", "messages_unacknowledged")


def test_a_queue_keeps_the_properties_it_was_declared_with():
    together("-c", CONNECT, "-c", "channel.queue_declare(queue='hello')").finish()
    refused = "try:\n    channel.queue_declare(queue='hello', durable=True)\nexcept pika.exceptions.ChannelClosedByBroker as refusal:\n    print(refusal.reply_code, refusal.reply_text)"
    assert together("-c", CONNECT, "-c", refused).finish() == [
        "406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'hello' in vhost '/': received 'true' but current is 'false'"
    ]


def test_persistent_messages_and_fair_dispatch():
    declare = "channel.queue_declare(queue='task_queue', durable=True)"
    together("-c", CONNECT, "-c", declare, "-c", "message = 'kept'", "1/publish_persistent.py", "-c", "connection.close()").finish()
    show = "def callback(ch, method, properties, body):\n    print(properties.delivery_mode, body)\n    ch.basic_ack(method.delivery_tag)\nchannel.basic_consume('task_queue', callback)"
    with together("-c", CONNECT, "1/prefetch.py", "-c", show, "-c", SERVE) as worker:
        worker.expect("^2 b'kept'$")


def test_a_fanout_exchange_gives_each_subscriber_a_copy():
    subscribe = "channel.queue_bind(exchange='logs', queue=result.method.queue)\ndef callback(ch, method, properties, body): print('log', body)\nchannel.basic_consume(result.method.queue, callback, auto_ack=True)"
    one = ["-c", CONNECT, "1/declare_logs.py", "1/exclusive_queue.py", "-c", subscribe, "-c", SERVE]
    two = ["-c", CONNECT, "1/declare_logs.py", "1/exclusive_queue.py", "-c", subscribe, "-c", SERVE]
    with together(*one) as first, together(*two) as second:
        first.expect("Waiting")
        second.expect("Waiting")
        together("-c", CONNECT, "-c", "message = 'to all'", "1/declare_logs.py", "1/publish_logs.py", "-c", "connection.close()").finish()
        first.expect("log b'to all'")
        second.expect("log b'to all'")


def test_server_names_are_fresh():
    names = "print(result.method.queue)\nresult = channel.queue_declare('', exclusive=True)\nprint(result.method.queue)"
    first, second = together("-c", CONNECT, "1/exclusive_queue.py", "-c", names).finish()
    assert first.startswith("amq.gen-") and second.startswith("amq.gen-") and first != second
    delete = "print(result.method.queue)\nchannel.queue_delete(result.method.queue)"
    assert together("-c", CONNECT, "1/fresh_queue.py", "-c", delete).finish()[0].startswith("amq.gen-")
