import pika

connection = pika.BlockingConnection(pika.ConnectionParameters(host="localhost"))
channel = connection.channel()
channel.exchange_declare(exchange="logs", exchange_type="fanout")
queue = channel.queue_declare(queue="", exclusive=True).method.queue
channel.queue_bind(exchange="logs", queue=queue)
channel.basic_consume(
    queue=queue,
    auto_ack=True,
    on_message_callback=lambda ch, method, properties, body: print("log", body.decode()),
)
print("waiting")
channel.start_consuming()
