"""The app's stand-in, and what it received: a proxy that claims to rewrite is looked at here."""
import http.client
import json
import os
import socket

from .processes import Process, free_port


class Upstream:
    """The stub of `tools/`, which answers at once and can show the last request that had a body."""

    def __init__(self, tools, folder, bodies, expected, cores):
        self.bodies, self.expected = bodies, expected
        self.port = free_port()
        self.process = Process("stub", [os.path.join(tools, "stub"), f"127.0.0.1:{self.port}", bodies], cores, folder)
        if not self.process.listens(self.port):
            raise SystemExit(f"the stub did not start: {self.process.said()}")

    def watch(self):
        """The next request with a body is kept."""
        self._ask("arm")

    def verdict(self, names):
        """What has become of the request that was watched for, one of `names`, and what it is if that is odd."""
        status, captured = self._ask("last")
        if status != 200:
            return "lost", ""
        body = captured.partition(b"\r\n\r\n")[2]
        try:
            got = json.loads(body)
        except ValueError:
            return "broken", body[:300].decode("latin1")
        for name in names:
            if got in (self.expected[name]["want"], self.expected["_also"].get(name)):
                return "rewritten", ""
        if any(got == self.expected[name]["sent"] for name in names):
            return "untouched", ""
        return "other", body[:1200].decode("latin1")

    def check(self, port, names):
        """Sends each of these requests once through the proxy at `port`: what the app got of it, and the proxy's answer."""
        verdicts = {}
        for name in names:
            self.watch()
            with socket.create_connection(("127.0.0.1", port), 5) as client, \
                    open(os.path.join(self.bodies, f"{name}.req"), "rb") as request:
                client.sendall(request.read())
                client.settimeout(5)
                head = client.recv(65536)
            verdicts[name] = self.verdict([name])
            if verdicts[name][0] == "lost":
                verdicts[name] = "lost", head[:120].decode("latin1")
        return verdicts

    def _ask(self, what):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", f"/debug/{what}")
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body
