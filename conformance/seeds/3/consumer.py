# consumer.py
import pika, sys, os

# Connect to a queue on our local machine
connection = pika.BlockingConnection(
    pika.ConnectionParameters(host='localhost')
    )

# Create a 'hello' queue
# Declaring another queue will be ignored
# if a 'hello' queue exists already
channel = connection.channel()
channel.queue_declare(queue='hello')

# Print the producer's message once we receive it from the queue
def callback(ch, method, properties, body):
    print(" [x] Received %r" % body)

# Receive messages from the 'hello' queue
channel.basic_consume(queue='hello', on_message_callback=callback, auto_ack=True)
channel.start_consuming()
