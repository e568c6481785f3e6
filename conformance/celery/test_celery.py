"""What applications do with Celery, against real workers of its pools."""

import os
import pathlib
import subprocess
import sys
import uuid

import pytest
from celery import chain, chord, group
from celery.exceptions import TaskRevokedError

from programs import Program

import application
from application import add, app, echo, fail, nap, never, once_more, third_time, total

FOLDER = pathlib.Path(__file__).parent
LIMIT = 20


def worker(name, *options, backend="rpc://"):
    return Program(
        sys.executable, "-m", "celery", "--app", "application", "worker",
        "--hostname", f"{name}@conformance", "--loglevel", "info", "--events", *options,
        cwd=FOLDER, env={"CELERY_BACKEND": backend, "C_FORCE_ROOT": "1"},
    )  # fmt: skip


@pytest.fixture(scope="module", params=["prefork", "solo", "threads"])
def pool(request):
    with app.connection_for_write() as connection:
        connection.default_channel.queue_delete("celery-conformance")
    with worker(request.param, "--pool", request.param, "--concurrency", "2") as running:
        running.expect(" ready", limit=40)
        yield request.param
        assert not [line for line in running.lines if "Traceback" in line and "Connection" in line]


def test_a_result_comes_back(pool):
    assert add.delay(2, 3).get(timeout=LIMIT) == 5


def test_results_of_many_tasks(pool):
    results = [add.delay(number, 1) for number in range(100)]
    assert [result.get(timeout=LIMIT) for result in results] == list(range(1, 101))


def test_an_exception_comes_back(pool):
    with pytest.raises(ValueError, match="on purpose"):
        fail.delay("on purpose").get(timeout=LIMIT)


def test_retries_until_it_succeeds(pool):
    assert third_time.delay().get(timeout=LIMIT) == 2


def test_retries_until_it_gives_up(pool):
    with pytest.raises(KeyError, match="never"):
        never.delay().get(timeout=LIMIT)


def test_a_rejected_task_is_delivered_again(pool):
    assert once_more.delay().get(timeout=LIMIT) is True


def test_group(pool):
    assert group(add.s(n, n) for n in range(20))().get(timeout=LIMIT) == [2 * n for n in range(20)]


def test_chain(pool):
    assert chain(add.s(1, 2), add.s(3), add.s(4))().get(timeout=LIMIT) == 10


def test_countdown_and_priority(pool):
    assert add.apply_async((1, 1), countdown=0.5, priority=3).get(timeout=LIMIT) == 2


def test_an_expired_task_is_revoked(pool):
    with pytest.raises(TaskRevokedError):
        add.apply_async((1, 1), countdown=1, expires=0.1).get(timeout=LIMIT)


def test_a_revoked_task_does_not_run(pool):
    result = add.apply_async((1, 1), countdown=3)
    app.control.revoke(result.id, reply=True, timeout=LIMIT, limit=1)
    with pytest.raises(TaskRevokedError):
        result.get(timeout=LIMIT)


def test_a_running_task_is_terminated(pool):
    if pool != "prefork":
        pytest.skip("only processes can be terminated")
    result = nap.delay(60)
    inspect = app.control.inspect(timeout=LIMIT, limit=1)
    while result.id not in [task["id"] for task in inspect.active()["prefork@conformance"]]:
        pass
    app.control.revoke(result.id, terminate=True)
    with pytest.raises(TaskRevokedError):
        result.get(timeout=LIMIT)


def test_large_arguments(pool):
    text = "x" * 3_000_000
    assert echo.delay(text).get(timeout=LIMIT) == text


def test_inspection(pool):
    name = f"{pool}@conformance"
    inspect = app.control.inspect(timeout=LIMIT, limit=1)
    assert inspect.ping() == {name: {"ok": "pong"}}
    assert "application.add" in inspect.registered()[name]
    queue, = inspect.active_queues()[name]
    assert queue["name"] == "celery-conformance"
    assert inspect.stats()[name]["broker"]["transport"] == "amqp"


def test_a_worker_takes_on_another_queue(pool):
    name = f"{pool}@conformance"
    queue = f"celery-other-{uuid.uuid4()}"
    added, = app.control.add_consumer(queue, reply=True, timeout=LIMIT, limit=1)
    assert added == {name: {"ok": f"add consumer {queue}"}}
    assert add.apply_async((4, 4), queue=queue).get(timeout=LIMIT) == 8
    cancelled, = app.control.cancel_consumer(queue, reply=True, timeout=LIMIT, limit=1)
    assert cancelled == {name: {"ok": f"no longer consuming from {queue}"}}


def test_events_and_heartbeats(pool):
    wanted = {"task-sent", "task-received", "task-started", "task-succeeded"}
    seen = set()
    with app.connection_for_read() as connection:

        def note(event):
            if event["type"] == "worker-heartbeat" and "worker-heartbeat" not in seen:
                add.delay(1, 2)
            seen.add(event["type"])
            receiver.should_stop = wanted <= seen

        receiver = app.events.Receiver(connection, handlers={"*": note})
        receiver.capture(limit=None, timeout=LIMIT, wakeup=True)
    assert wanted <= seen


def test_chord(tmp_path):
    with worker("chords", "--pool", "threads", "--queues", "chords", backend=f"file://{tmp_path}") as running:
        running.expect(" ready", limit=40)
        program = (
            "from celery import chord; from application import add, total\n"
            "job = chord((add.s(n, n).set(queue='chords') for n in range(10)), total.s().set(queue='chords'))\n"
            f"print('total', job().get(timeout={LIMIT}))"
        )
        environment = {**os.environ, "CELERY_BACKEND": f"file://{tmp_path}"}
        said = subprocess.run(
            [sys.executable, "-c", program], cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=60
        )
        assert said.stdout == "total 90\n", said.stderr


def test_a_chord_needs_a_shared_result_store(pool):
    with pytest.raises(NotImplementedError):
        chord([add.s(1, 1), add.s(2, 2)])(total.s())


def test_a_worker_stops_warmly(pool):
    with worker("short", "--pool", "solo", "--queues", "celery-short") as running:
        running.expect(" ready", limit=40)
        app.control.shutdown(destination=["short@conformance"])
        running.finish(limit=40)
    assert application.app is app
