"""What has happened, and in which order, once RabbitMQ has replied. Clients rely on it: a kombu
mailbox declares a queue again the moment its consumer is cancelled, amqplib closes a channel the
moment its consumer is told of the queue's end."""

import amqp
import pytest

ROUNDS = 50


@pytest.fixture
def connection():
    with amqp.Connection("localhost:5672") as connection:
        yield connection


def exists(connection, queue):
    channel = connection.channel()
    try:
        channel.queue_declare(queue, passive=True)
    except amqp.exceptions.NotFound:
        return False
    channel.close()
    return True


def consume_for_a_moment(channel, queue):
    channel.queue_declare(queue, auto_delete=True)
    return channel.basic_consume(queue)


def test_an_auto_delete_queue_is_gone_when_its_last_consumer_is_cancelled(connection):
    for number in range(ROUNDS):
        channel = connection.channel()
        channel.basic_cancel(consume_for_a_moment(channel, f"cancelled-{number}"))
        assert not exists(connection, f"cancelled-{number}")
        channel.close()


def test_an_auto_delete_queue_is_gone_when_the_channel_is_closed(connection):
    for number in range(ROUNDS):
        channel = connection.channel()
        consume_for_a_moment(channel, f"channel-{number}")
        channel.close()
        assert not exists(connection, f"channel-{number}")


def test_queues_of_a_connection_are_gone_when_it_is_closed(connection):
    for number in range(ROUNDS):
        with amqp.Connection("localhost:5672") as other:
            channel = other.channel()
            consume_for_a_moment(channel, f"connection-{number}")
            channel.queue_declare(f"exclusive-{number}", exclusive=True)
        assert not exists(connection, f"connection-{number}")
        assert not exists(connection, f"exclusive-{number}")


def test_an_auto_delete_queue_can_be_declared_and_bound_again_at_once(connection):
    channel = connection.channel()
    for _ in range(ROUNDS):
        tag = consume_for_a_moment(channel, "again")
        channel.queue_bind("again", "amq.direct", routing_key="again")
        channel.basic_cancel(tag)


def test_a_consumer_hears_of_its_queues_end_after_the_one_who_deleted_it(connection):
    for _ in range(ROUNDS):
        channel = connection.channel()
        heard = []
        channel.queue_declare("ends", auto_delete=False)
        channel.basic_consume("ends", on_cancel=heard.append, consumer_tag="one")
        channel.queue_delete("ends")
        assert heard == []
        connection.drain_events(timeout=5)
        assert heard == ["one"]
        channel.close()
