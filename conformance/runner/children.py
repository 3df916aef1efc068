"""What a run starts, and what stops it: every child has a process group of its own and stands in one list."""
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import threading
import time

START_SECONDS, STOP_SECONDS = 25, 5
_living, _lock, _stopped = set(), threading.Lock(), threading.Event()


class Stopped(Exception):
    """The run is being stopped: nothing new is started."""


class Failed(Exception):
    """A server or the shim did not start; the message has its last words."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(cmd, **options):
    """A child in its own process group, known to `stop_all`."""
    with _lock:
        if _stopped.is_set():
            raise Stopped
        child = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, start_new_session=True, **options)
        _living.add(child)
    return child


def stop(child):
    """Ends a child and all that it started; asks first."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, sig)
        except ProcessLookupError:
            break
        try:
            child.wait(STOP_SECONDS)
            break
        except subprocess.TimeoutExpired:
            continue
    with _lock:
        _living.discard(child)


def stop_all():
    """For Ctrl-C: ends what runs, and lets nothing start any more."""
    with _lock:
        _stopped.set()
        living = list(_living)
    for child in living:
        try:
            os.killpg(child.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
    for child in living:
        stop(child)


class Listener:
    """A server or the shim, waited for until its port answers."""

    def __init__(self, what, cmd, port, env=None):
        self.log = tempfile.TemporaryFile()
        self.child = start(cmd, stdout=self.log, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.child.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        words = self.last_words()
        self.close()
        if _stopped.is_set():
            raise Stopped
        raise Failed(f"{what} did not answer on port {port}: {shlex.join(cmd)}\n{words}")

    def last_words(self):
        self.log.seek(0)
        return self.log.read()[-1500:].decode("utf-8", "replace")

    def close(self):
        stop(self.child)
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def output(cmd, seconds):
    """-> (standard output, standard error, whether it took too long)."""
    child = start(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, err = child.communicate(timeout=seconds)
        late = False
    except subprocess.TimeoutExpired:
        stop(child)
        out, err = child.communicate()
        late = True
    finally:
        stop(child)
    if _stopped.is_set():
        raise Stopped
    return out, err, late
