# producer.py
import pika

# Connect to a queue on our local machine
connection = pika.BlockingConnection(
    pika.ConnectionParameters(host='localhost')
    )

# Create a 'hello' queue
# Declaring another queue will be ignored
# if a 'hello' queue exists already
channel = connection.channel()
channel.queue_declare(queue='hello')

# Create an exchange that receives producer's messages
channel.exchange_declare(exchange='greeting')

# Send a 'Hello World!' message to any subscribed consumers
channel.basic_publish(exchange='greeting', routing_key='hello', body='Hello World!')
connection.close()
