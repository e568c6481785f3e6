# Receive the message
with connection.channel() as channel:
    # Fair QoS: don't give more than one message to this worker at a time
    # Otherwise it's Rounb Robin, even if we're still busy
    channel.basic_qos(prefetch_count=1)

    ...
