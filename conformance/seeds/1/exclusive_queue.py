result = channel.queue_declare(queue='', exclusive=True)
