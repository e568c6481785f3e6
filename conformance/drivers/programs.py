"""Runs programs beside each other and waits for what they print.

Knows processes and lines; nothing of brokers but how to clear away the queues a test names.
"""

import os
import queue
import re
import subprocess
import sys
import threading
import time

LIMIT = 30


class Program:
    """A running program. Use it with `with`: it is ended at the end of the block."""

    def __init__(self, *command, cwd=None, env=None):
        self.command = [str(word) for word in command]
        self.lines = []
        self._new = queue.Queue()
        self._process = subprocess.Popen(
            self.command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.stdout:
            self._new.put(line.rstrip("\n"))
        self._new.put(None)

    def expect(self, pattern, limit=LIMIT):
        """Waits for a line in which `pattern` (a regular expression) is found, and gives it."""
        deadline = time.monotonic() + limit
        while True:
            line = self._next(deadline, pattern)
            if line is None:
                raise AssertionError(f"ended without printing {pattern!r}:\n{self.transcript()}")
            if re.search(pattern, line):
                return line

    def _next(self, deadline, pattern):
        try:
            line = self._new.get(timeout=max(0, deadline - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"did not print {pattern!r} in time:\n{self.transcript()}") from None
        if line is not None:
            self.lines.append(line)
        return line

    def finish(self, limit=LIMIT):
        """Waits for its end, asserts status 0 and gives all its lines."""
        deadline = time.monotonic() + limit
        while self._next(deadline, "its end") is not None:
            pass
        status = self._process.wait(LIMIT)
        assert status == 0, f"status {status}:\n{self.transcript()}"
        return self.lines

    def kill(self):
        """Ends it as a crash would."""
        self._process.kill()
        self._process.wait()

    def transcript(self):
        return "$ " + " ".join(self.command) + "\n" + "\n".join(self.lines)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def python(*arguments, **options):
    """A program in Python, by this interpreter."""
    return Program(sys.executable, "-u", *arguments, **options)


def rabbitmqctl(*arguments):
    """What `rabbitmqctl` prints, as lines."""
    return Program("rabbitmqctl", *arguments).finish(limit=LIMIT)


def table(*arguments):
    """The rows of a listing by `rabbitmqctl`, each a list of its columns; the heading first."""
    lines = rabbitmqctl(*arguments)
    # Before the heading it says what it lists, and how long it will wait.
    return [line.split("\t") for line in lines if not line.endswith("...")]


def clear(queues=(), exchanges=()):
    """Deletes what an earlier test or run may have left, if it is there."""
    import pika

    with pika.BlockingConnection(pika.ConnectionParameters("localhost")) as connection:
        channel = connection.channel()
        for name in queues:
            channel.queue_delete(name)
        for name in exchanges:
            channel.exchange_delete(name)
