    def on_message(ch, method, properties, body: bytes):
        # ... do long processing ....

        # Ack the message: show that we didn't lose it.
        # RabbitMQ can delete it now.4
        ch.basic_ack(delivery_tag = method.delivery_tag)

    # Subscribe a callback to a queue
    channel.basic_consume(
        queue='tasks',
        on_message_callback=on_message
    )
