# Receive the message
with connection.channel() as channel:
    # Ensure the queue exists
    # Idempotent: safe to run every time
    channel.queue_declare(queue='tasks', durable=True)

    # Subscribe a callback to a queue
    def on_message(ch, method, properties, body: bytes):
        print(f"{method.routing_key!r}: {body=}")

    channel.basic_consume(
        queue='tasks',
        # Turn off manual message acknowledgements
        auto_ack=True,
        on_message_callback=on_message
    )

    # Serve forever
    channel.start_consuming()
