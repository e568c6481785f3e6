"""The seven tutorials: hello world, work queues, publish/subscribe, routing, topics, RPC, confirms."""

import pathlib

import pytest

from programs import clear, python, table

FOLDER = pathlib.Path(__file__).parent


def program(name, *arguments):
    return python(FOLDER / f"{name}.py", *arguments)


@pytest.fixture(autouse=True)
def fresh():
    everything = {
        "queues": ["hello", "task_queue", "rpc_queue"],
        "exchanges": ["logs", "direct_logs", "topic_logs"],
    }
    clear(**everything)
    yield
    clear(**everything)


def test_one_hello_world():
    program("send").finish()
    assert ["hello", "1"] in table("list_queues")
    with program("receive") as receiver:
        receiver.expect("received Hello World!")


def test_two_work_queues():
    with program("worker") as one:
        one.expect("waiting")
        share_tasks(one)


def share_tasks(one):
    with program("worker") as two:
        two.expect("waiting")
        for task in ["long........", "short", "short too", "last"]:
            program("new_task", task).finish()
        # The busy worker holds one task, the other does all the rest meanwhile.
        got = [one.expect("received"), *(two.expect("received") for _ in range(3))]
        assert got[0] == "received long........" and got[1:] == ["received short", "received short too", "received last"]


def test_two_a_task_survives_its_worker():
    with program("worker") as first:
        first.expect("waiting")
        program("new_task", "hard.........").finish()
        first.expect("received hard")
        first.kill()
    with program("worker") as second:
        second.expect("received hard")


def test_three_publish_subscribe():
    with program("receive_logs") as one, program("receive_logs") as two:
        one.expect("waiting")
        two.expect("waiting")
        program("emit_log", "to", "everyone").finish()
        one.expect("^log to everyone$")
        two.expect("^log to everyone$")
        assert ["logs", "fanout"] in table("list_exchanges")


def test_four_routing():
    severe = ["direct_logs", "direct", "warning", "error"]
    every = ["direct_logs", "direct", "info", "warning", "error"]
    with program("receive_routed", *severe) as file, program("receive_routed", *every) as screen:
        file.expect("waiting")
        screen.expect("waiting")
        for severity in ["info", "debug", "error"]:
            program("emit_routed", "direct_logs", "direct", severity, "a", severity).finish()
        assert file.expect("a ") == "error a error"
        assert [screen.expect("a "), screen.expect("a ")] == ["info a info", "error a error"]


@pytest.mark.parametrize(
    ("binding", "taken"),
    [
        (["#"], ["kern.critical", "quick.orange.rabbit", "lazy", "a.b.c.d"]),
        (["kern.*"], ["kern.critical"]),
        (["*.critical"], ["kern.critical"]),
        (["*.orange.*", "lazy.#"], ["quick.orange.rabbit", "lazy"]),
        (["*.*.*.*", "a.#.d"], ["a.b.c.d"]),
    ],
)
def test_five_topics(binding, taken):
    with program("receive_routed", "topic_logs", "topic", *binding) as receiver:
        receiver.expect("waiting")
        for key in ["kern.critical", "quick.orange.rabbit", "lazy", "a.b.c.d"]:
            program("emit_routed", "topic_logs", "topic", key, "x").finish()
        assert [receiver.expect(" x$") for _ in taken] == [f"{key} x" for key in taken]


@pytest.mark.parametrize("how", ["queue", "direct"])
def test_six_rpc(how):
    with program("rpc_server") as server:
        server.expect("waiting")
        assert program("rpc_client", "30", how).finish() == ["got 832040"]
        assert program("rpc_client", "4", how).finish() == ["got 3"]


def test_seven_publisher_confirms():
    said = program("publisher_confirms").finish()
    assert said == ["confirmed 200", "returned 312 NO_ROUTE", "all confirmed"]
