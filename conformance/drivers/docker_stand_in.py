"""pytest plugin: lets suites that start their broker through Docker use the broker already running.

It answers the few calls of Docker's HTTP interface such suites make (pull, create, start, inspect,
kill, remove) on a local socket named by $DOCKER_HOST, and says that each port of the "container" is
the same port of this machine. The suites themselves stay unchanged. It also provides the two
fixtures that aiormq's published sources use without carrying them.
"""

import http.server
import json
import os
import re
import socketserver
import tempfile
import threading
import types

import pytest


class _Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    ports = {}

    def log_message(self, *_):
        pass

    def address_string(self):
        return "local"

    def _body(self):
        size = int(self.headers.get("Content-Length") or 0)
        return json.loads(self.rfile.read(size)) if size else {}

    def _answer(self, status, value=None):
        data = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        body = self._body()
        if self.path.startswith("/containers/create"):
            name = f"broker{len(self.ports)}"
            self.ports[name] = list(body.get("ExposedPorts", {}))
            self._answer(201, {"Id": name})
        elif self.path.startswith("/images/create"):
            self._answer(200, {"status": "the broker runs already"})
        else:
            self._answer(204)

    def do_GET(self):
        name = re.match(r"/containers/([^/]+)/json", self.path)
        if not name or name[1] not in self.ports:
            self._answer(404, {"message": "no such container"})
            return
        bound = {p: [{"HostIp": "127.0.0.1", "HostPort": p.split("/")[0]}] for p in self.ports[name[1]]}
        self._answer(200, {"Id": name[1], "NetworkSettings": {"Ports": bound}})

    def do_DELETE(self):
        self._answer(204)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


_folder = tempfile.TemporaryDirectory()
_path = os.path.join(_folder.name, "docker.sock")
_server = _Server(_path, _Answers)
threading.Thread(target=_server.serve_forever, daemon=True).start()
os.environ["DOCKER_HOST"] = f"unix://{_path}"


@pytest.fixture(scope="session")
def rabbitmq_container():
    ports = {"5672/tcp": 5672, "5671/tcp": 5671}
    return types.SimpleNamespace(id="broker", ports=ports, host="127.0.0.1")


@pytest.fixture(scope="session")
def amqp_direct_url(rabbitmq_container):
    from yarl import URL

    port = rabbitmq_container.ports["5672/tcp"]
    return URL(f"amqp://guest:guest@{rabbitmq_container.host}:{port}//")
