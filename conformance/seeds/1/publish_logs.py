channel.basic_publish(exchange='logs',
                  routing_key='',
                  body=message)
