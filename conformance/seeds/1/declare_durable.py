channel.queue_declare(queue='hello', durable=True)
