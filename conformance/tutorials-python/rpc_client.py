"""Asks for a Fibonacci number; replies come to a queue of its own, or with `direct` without one."""

import sys
import uuid

import pika

number, how = sys.argv[1:]
connection = pika.BlockingConnection(pika.ConnectionParameters(host="localhost"))
channel = connection.channel()
if how == "direct":
    replies = "amq.rabbitmq.reply-to"
else:
    replies = channel.queue_declare(queue="", exclusive=True).method.queue
correlation = str(uuid.uuid4())
answers = []
channel.basic_consume(
    queue=replies,
    auto_ack=True,
    on_message_callback=lambda ch, method, properties, body: answers.append((properties.correlation_id, body)),
)
channel.basic_publish(
    exchange="",
    routing_key="rpc_queue",
    properties=pika.BasicProperties(reply_to=replies, correlation_id=correlation),
    body=number,
)
while not answers:
    connection.process_data_events(time_limit=None)
assert answers[0][0] == correlation
print("got", int(answers[0][1]))
connection.close()
