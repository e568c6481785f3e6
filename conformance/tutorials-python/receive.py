import pika

connection = pika.BlockingConnection(pika.ConnectionParameters(host="localhost"))
channel = connection.channel()
channel.queue_declare(queue="hello")
channel.basic_consume(
    queue="hello",
    auto_ack=True,
    on_message_callback=lambda ch, method, properties, body: print("received", body.decode()),
)
print("waiting")
channel.start_consuming()
