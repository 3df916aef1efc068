"""A SCIM endpoint as it was written years ago, for one identity provider.

It takes operations in lower case, booleans that are booleans and a body that says application/json; it answers with ids
that are numbers, without schemas and meta. It keeps users in memory, and listens on 127.0.0.1.
"""

import json
import os
import re
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from urllib.parse import parse_qs, urlsplit

BASE = "/scim/v2"
TOKEN = os.environ["APP_TOKEN"]
USERS = {}
LOCK = Lock()


class Wrong(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "legacy"

    def serve(self):
        # The body first, whatever becomes of it: what is left of it would be taken for the next request.
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            with LOCK:
                self.answer(*self.route(body))
        except Wrong as wrong:
            self.answer(wrong.status, {"error": str(wrong)})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def route(self, body):
        url = urlsplit(self.path)
        if url.path == "/healthz":
            return 200, {"status": "ok"}
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            raise Wrong(401, "who are you?")
        one = re.fullmatch(BASE + r"/Users/([0-9]+)", url.path)
        if one:
            return self.user(int(one[1]), body)
        if url.path == BASE + "/Users":
            return self.create(self.parsed(body)) if self.command == "POST" else self.found(parse_qs(url.query))
        raise Wrong(404, f"no {url.path}")

    def user(self, id, body):
        if id not in USERS:
            raise Wrong(404, f"no user {id}")
        if self.command == "DELETE":
            del USERS[id]
            return 204, None
        if self.command == "PUT":
            USERS[id] = {**self.checked(self.parsed(body)), "id": id}
        if self.command == "PATCH":
            changed = dict(USERS[id])
            for operation in self.parsed(body)["Operations"]:
                self.apply(changed, operation)
            USERS[id] = self.checked(changed)
        return 200, USERS[id]

    def create(self, user):
        if any(other["userName"] == user["userName"] for other in USERS.values()):
            raise Wrong(409, f"{user['userName']} exists")
        id = max(USERS, default=0) + 1
        USERS[id] = {"active": True, **self.checked(user), "id": id}
        return 201, USERS[id]

    def found(self, query):
        users = list(USERS.values())
        if "filter" in query:
            wanted = re.fullmatch(r'userName eq "(.*)"', query["filter"][0])
            if not wanted:
                raise Wrong(400, "that is no filter that I know")
            users = [user for user in users if user["userName"] == wanted[1]]
        return 200, {"totalResults": len(users), "Resources": users}

    def apply(self, user, operation):
        if operation["op"] in ("add", "replace"):
            if "path" in operation:
                user[operation["path"]] = operation["value"]
            else:
                user.update(operation["value"])
        elif operation["op"] == "remove":
            user.pop(operation["path"], None)
        else:
            raise Wrong(400, f"{operation['op']} is no operation")

    def checked(self, user):
        if not isinstance(user.get("active", True), bool):
            raise Wrong(400, "active has to be true or false")
        return user

    def parsed(self, body):
        if self.headers.get("content-type", "").split(";")[0] != "application/json":
            raise Wrong(415, "application/json, please")
        try:
            return json.loads(body)
        except ValueError:
            raise Wrong(400, "that is no JSON") from None

    def answer(self, status, content):
        text = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        if text:
            self.send_header("content-type", "application/json")
        if status != 204:
            self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    # The first process of a container gets no default for SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Handler)
    server.daemon_threads = True
    server.serve_forever()
