"""A Celery application as one writes it: RabbitMQ carries tasks, and results by `rpc://`.

Chords need a result store that all workers share: Celery refuses them over `rpc://`. The second
application has one in files, and the same broker.
"""

import os
import time

from celery import Celery
from celery.exceptions import Reject

BROKER = os.environ.get("CELERY_BROKER", "amqp://guest:guest@localhost:5672//")

app = Celery("application", broker=BROKER, backend=os.environ.get("CELERY_BACKEND", "rpc://"))
app.conf.update(
    broker_connection_retry_on_startup=True,
    result_persistent=False,
    task_default_queue="celery-conformance",
    task_queue_max_priority=5,
    task_send_sent_event=True,
    worker_send_task_events=True,
)


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def third_time(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.2)
    return self.request.retries


@app.task(autoretry_for=(KeyError,), retry_kwargs={"max_retries": 1, "countdown": 0.1})
def never():
    raise KeyError("never")


@app.task
def fail(text):
    raise ValueError(text)


@app.task
def nap(seconds):
    time.sleep(seconds)
    return "slept"


@app.task(bind=True, acks_late=True)
def once_more(self):
    """Goes back to the queue the first time, and says whether it was delivered again."""
    if not self.request.delivery_info["redelivered"]:
        raise Reject("once more", requeue=True)
    return True


@app.task
def echo(value):
    return value
