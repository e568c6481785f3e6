"""Note 2: Kombu with revived connections, heartbeats and messages that expire."""

import pathlib

import pytest

from programs import clear, python, rabbitmqctl, table

FOLDER = pathlib.Path(__file__).parent
SETUP = """
import socket, time
from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.mixins import ConsumerMixin
rabbit_url = 'amqp://localhost:5672/'
exchange = Exchange('seed-exchange', type='direct')
"""
CONSUMER = """
channel = conn.channel()
queue = Queue('seed-queue', exchange=exchange, routing_key='seed')
def process_message(body, message):
    print('The body is', body)
    message.ack()
consumer = Consumer(conn, queues=queue, callbacks=[process_message], accept=['text/plain'])
consumer.consume()
"""


@pytest.fixture(autouse=True)
def fresh():
    clear(queues=["seed-queue", "seed-a", "seed-b"], exchanges=["seed-exchange"])
    yield
    clear(queues=["seed-queue", "seed-a", "seed-b"], exchanges=["seed-exchange"])


def together(*pieces):
    return python(FOLDER / "together.py", *pieces)


def publish(text):
    send = f"with Connection(rabbit_url) as conn:\n    Producer(conn.channel(), exchange=exchange, routing_key='seed').publish({text!r})"
    together("-c", SETUP, "-c", send).finish()


def test_draining_events():
    connect = "conn = Connection(rabbit_url)"
    with together("-c", SETUP, "-c", connect, "-c", CONSUMER + "print('ready')", "2/drain.py") as consumer:
        consumer.expect("ready")
        publish("first")
        consumer.expect("The body is first")


@pytest.mark.parametrize("drain", ["2/consume.py", "2/heartbeat.py"])
def test_a_closed_connection_is_revived(drain):
    connect = "conn = Connection(rabbit_url, heartbeat=10)"
    pieces = ["-c", SETUP, "-c", connect, "-c", CONSUMER, "2/establish_connection.py", drain, "2/run.py"]
    with together(*pieces, "-c", "consumer.cancel()\nrun()") as consumer:
        consumer.expect("connection revived!")
        publish("before")
        consumer.expect("The body is before")
        for (pid,) in table("list_connections", "pid", "--no-table-headers", "--silent") or []:
            rabbitmqctl("close_connection", pid, "revive yourself")
        consumer.expect("connection revived!")
        publish("after")
        consumer.expect("The body is after")


def test_a_message_expires_after_its_time():
    producers = """
conn = Connection(rabbit_url)
queue_a = Queue('seed-a', exchange=exchange, routing_key='a')
queue_b = Queue('seed-b', exchange=exchange, routing_key='b')
for queue in (queue_a, queue_b): queue(conn.channel()).declare()
producer_a = Producer(conn.channel(), exchange=exchange, routing_key='a')
producer_b = Producer(conn.channel(), exchange=exchange, routing_key='b')
"""
    together("-c", SETUP, "-c", producers, "2/publish.py").finish()
    worker = """
class Worker(ConsumerMixin):
    def __init__(self, connection, queues):
        self.connection, self.queues = connection, queues
    def get_consumers(self, Consumer, channel):
        return [Consumer(queues=self.queues, callbacks=[self.on_message])]
    def on_message(self, body, message):
        print('Got message:', body)
        message.ack()
queues = [Queue('seed-a', exchange=exchange, routing_key='a'), Queue('seed-b', exchange=exchange, routing_key='b')]
"""
    with together("-c", SETUP, "-c", worker, "2/worker.py") as consumer:
        got = {consumer.expect("Got message", limit=40) for _ in range(3)}
    assert got == {"Got message: Hi Mr. Adam", "Got message: Hi Mr. Bob", "Got message: OTP = 32412"}
