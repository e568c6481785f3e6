"""Prints what reaches a queue of its own: EXCHANGE TYPE BINDING-KEY..."""

import sys

import pika

exchange, kind, *keys = sys.argv[1:]
connection = pika.BlockingConnection(pika.ConnectionParameters(host="localhost"))
channel = connection.channel()
channel.exchange_declare(exchange=exchange, exchange_type=kind)
queue = channel.queue_declare(queue="", exclusive=True).method.queue
for key in keys:
    channel.queue_bind(exchange=exchange, queue=queue, routing_key=key)
channel.basic_consume(
    queue=queue,
    auto_ack=True,
    on_message_callback=lambda ch, method, properties, body: print(method.routing_key, body.decode()),
)
print("waiting")
channel.start_consuming()
