result = channel.queue_declare(queue='')
