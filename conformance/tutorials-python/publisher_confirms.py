"""Publishes with confirms: one by one, then what nobody takes, then in batches without waiting."""

import pika

connection = pika.BlockingConnection(pika.ConnectionParameters(host="localhost"))
channel = connection.channel()
channel.confirm_delivery()
queue = channel.queue_declare(queue="", exclusive=True).method.queue
for number in range(200):
    channel.basic_publish(exchange="", routing_key=queue, body=str(number), mandatory=True)
print("confirmed", channel.queue_declare(queue=queue, passive=True).method.message_count)
try:
    channel.basic_publish(exchange="", routing_key="nobody", body="lost", mandatory=True)
except pika.exceptions.UnroutableError as refusal:
    returned = refusal.messages[0].method
    print("returned", returned.reply_code, returned.reply_text)
connection.close()

outstanding = set()


def opened(channel):
    channel.confirm_delivery(confirmed, callback=lambda _: publish(channel))


def publish(channel):
    for number in range(1, 1001):
        outstanding.add(number)
        channel.basic_publish(exchange="amq.fanout", routing_key="", body=str(number))


def confirmed(frame):
    tag = frame.method.delivery_tag
    assert isinstance(frame.method, pika.spec.Basic.Ack)
    outstanding.difference_update(range(1, tag + 1) if frame.method.multiple else [tag])
    if not outstanding:
        print("all confirmed")
        asynchronous.close()


asynchronous = pika.SelectConnection(
    pika.ConnectionParameters(host="localhost"),
    on_open_callback=lambda connection: connection.channel(on_open_callback=opened),
    on_close_callback=lambda connection, reason: connection.ioloop.stop(),
)
asynchronous.ioloop.start()
