"""Publishes: EXCHANGE TYPE ROUTING-KEY WORD..."""

import sys

import pika

exchange, kind, key, *words = sys.argv[1:]
with pika.BlockingConnection(pika.ConnectionParameters(host="localhost")) as connection:
    channel = connection.channel()
    channel.exchange_declare(exchange=exchange, exchange_type=kind)
    channel.basic_publish(exchange=exchange, routing_key=key, body=" ".join(words))
