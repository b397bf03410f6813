"""Does a RabbitMQ stack behind haproxy and keepalived survive what it must? A pytest plugin that breaks it to see.

Nothing is imported here: the load client's container imports ``pytest_rmqha.client`` with nothing but pika installed.
"""
