import sys

import pika

message = " ".join(sys.argv[1:]) or "Hello World!"
with pika.BlockingConnection(pika.ConnectionParameters(host="localhost")) as connection:
    channel = connection.channel()
    channel.queue_declare(queue="task_queue", durable=True)
    channel.basic_publish(
        exchange="",
        routing_key="task_queue",
        body=message,
        properties=pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent),
    )
