# Send a message
with connection.channel() as channel:
    # RabbitMQ will drop the message if a queue does not exist.
    # Create the queue
    channel.queue_declare(
        queue='tasks',
        # Persist the queue to disk. Otherwise it's lost when RabbitMQ restarts.
        durable=True
    )

    # Messages cannot be posted to queues directly: they need to go through an *exchange*.
    # Publish a message, using the default exchange: ''
    channel.basic_publish(
        # Default exchange
        exchange='',
        routing_key='tasks',   # queue name
        body='Hello world!'
    )
