channel.basic_qos(prefetch_count=1)
