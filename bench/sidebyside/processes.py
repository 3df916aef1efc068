"""Processes of a run: started on their cores, stopped by their ids."""
import os
import socket
import subprocess
import time


class Process:
    """One program of the run; what it prints goes to a file."""

    def __init__(self, name, command, cores, folder):
        if cores is not None:
            command = ["taskset", "-c", cores, *command]
        self.name, self.log = name, os.path.join(folder, f"{name}.log")
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.pid = self.child.pid

    def listens(self, port, seconds=15):
        """Waits until something accepts connections at `port`; false if the program ends, or time does."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port), 0.5).close()
                return True
            except OSError:
                if self.child.poll() is not None:
                    return False
                time.sleep(0.05)
        return False

    def said(self):
        """The end of what it printed."""
        with open(self.log, "rb") as log:
            return log.read()[-800:].decode(errors="replace")

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
