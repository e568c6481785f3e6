import time

import pika

connection = pika.BlockingConnection(pika.ConnectionParameters(host="localhost"))
channel = connection.channel()
channel.queue_declare(queue="task_queue", durable=True)


def work(ch, method, properties, body):
    print("received", body.decode(), flush=True)
    time.sleep(body.count(b"."))
    ch.basic_ack(delivery_tag=method.delivery_tag)
    print("done")


channel.basic_qos(prefetch_count=1)
channel.basic_consume(queue="task_queue", on_message_callback=work)
print("waiting")
channel.start_consuming()
