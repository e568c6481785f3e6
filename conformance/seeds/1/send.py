#!/usr/bin/env python
import pika

# Establish a connection with rabbitMQ - a broker on the local machine
connection = pika.BlockingConnection(pika.ConnectionParameters('localhost'))
channel = connection.channel()

# Make sure the recipient queue exists - otherwise it will be dropped
channel.queue_declare(queue='hello')

# In RabbitMQ a message can never be sent directly to the queue, it always needs to go through an exchange
# The default exchange is an empty string
# queue name must be specified in the routing_key
channel.basic_publish(
    exchange='',
    routing_key='hello',
    body='Hello World!'
)
print(" [x] Sent 'Hello World!'")

# Ensure network buffers flushed and message sent
connection.close()
