# Define a durable queue. Idempotent call: safe to do multiple times.
# NOTE: RabbitMQ will not let you re-define a queue with different parameters!
# Define a new queue if you need.
channel.queue_declare(queue='tasks', durable=True)

# and now send messages as "persistent":

channel.basic_publish(
    exchange='',
    routing_key='tasks',  # queue name
    body=message,
    properties=pika.BasicProperties(
        # NOTE: persistence guarantees aren't strong: RabbitMQ does not fsync every message
        delivery_mode = pika.spec.PERSISTENT_DELIVERY_MODE,
    )
)
