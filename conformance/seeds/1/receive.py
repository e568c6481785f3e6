#!/usr/bin/env python
import pika

# Establish a connection with rabbitMQ - a broker on the local machine
connection = pika.BlockingConnection(pika.ConnectionParameters('localhost'))
channel = connection.channel()

# Make sure the recipient queue exists - otherwise it will be dropped
# We are not sure that the queue exists already
channel.queue_declare(queue='hello')

# Receiving messages on the queue requires subscribing a callback function to a queue
def callback(ch, method, properties, body):
    print(" [x] Received %r" % body)

# Tell RabbitMQ that this particular callback function should receive messages from our hello queue
channel.basic_consume(
    queue='hello',
    auto_ack=True,
    on_message_callback=callback
)

# finally, we enter a never-ending loop that waits for data and runs callbacks whenever necessary
print(' [*] Waiting for messages. To exit press CTRL+C')
channel.start_consuming()
