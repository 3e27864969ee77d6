"""Starts client processes on an engine, and reads what they wrote down."""

import json
import os
import pathlib
import random
import subprocess
import sys

from harness import BUILD
from operations import Operation

CLIENT = pathlib.Path(__file__).with_name("client_process.py")
PASSING = ("busy", "unavailable", "worker_lost", "expired_deadline", "internal")  # neither ok nor final


class Entry:
    """A request, when it was sent, and its final answer (none: the client never heard)."""

    def __init__(self, operation, sent):
        self.operation = operation
        self.sent = sent
        self.done = None
        self.outcome = None  # {"ok": True, "result"} or {"ok": False, "code", "message", "unknown"}

    @property
    def ok(self):
        return self.outcome is not None and self.outcome["ok"]

    @property
    def refused(self):
        """Answered with a final error, which says that nothing was done."""
        return self.outcome is not None and not self.outcome["ok"] and not self.outcome["unknown"] and self.code not in PASSING

    @property
    def settled(self):
        """Whether nothing more has to be found out about it."""
        return self.ok or self.refused

    @property
    def code(self):
        return self.outcome["code"] if self.outcome is not None and not self.outcome["ok"] else None


def read_log(path, bodies=1.0):
    """The entries of one log; a last line that was cut off is left out. Of orders that are done only so many keep their
    body, from 0 to 1: it takes most of the memory."""
    entries, chosen = {}, random.Random(0)
    for line in open(path):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event["event"] == "send":
            operation = Operation(**event["operation"])
            entries[operation.place] = Entry(operation, event["t"])
        else:
            entry = entries[Operation(event["kind"], event["key"], 0, {}).place]
            entry.done = event["t"]
            entry.outcome = {name: event[name] for name in ("ok", "result", "code", "message", "unknown") if name in event}
            if entry.ok and chosen.random() >= bodies:
                entry.operation.body = None
    return list(entries.values())


def c_clients_can_run():
    """Whether the C library can be loaded into Python: not one that was built with AddressSanitizer."""
    import c_client

    return b"__asan_init" not in c_client.library_path().read_bytes() or "asan" in os.environ.get("LD_PRELOAD", "")


class Running:
    """Client processes that run from `start` to `stop`, and write logs."""

    bodies = 1.0  # of orders that are done: the part of which the request is kept

    def __init__(self, folder, name, processes, timeout):
        self.timeout = timeout
        self.logs = [pathlib.Path(folder) / f"{name}-{process}.jsonl" for process in range(processes)]
        self.processes = []
        self.counted = {}  # of each log: how far it was looked through, and the answers found
        self.entries = []  # once it is over

    def stop(self):
        """Lets each client finish what it has under way, and reads the logs."""
        for process in self.processes:
            process.stdin.close()
        codes = [process.wait(self.timeout + 30) for process in self.processes]
        assert codes == [0] * len(codes), f"client processes ended with {codes}"
        self.processes = []
        self.entries = [entry for log in self.logs if log.exists() for entry in read_log(log, self.bodies)]

    def answered(self):
        """How many requests were answered ok so far."""
        for log in self.logs:
            if log.exists():
                place, count = self.counted.get(log, (0, 0))
                with open(log, "rb") as file:
                    file.seek(place)
                    block = file.read()
                whole = block.rfind(b"\n") + 1
                self.counted[log] = place + whole, count + block.count(b'"ok": true', 0, whole)
        return sum(count for _, count in self.counted.values())

    def kill(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes = []


class Load(Running):
    """Clients in Python: a few, with a thread each; their processes take the languages in turns."""

    def __init__(self, endpoint, folder, name, seed, processes=3, threads=4, members=12, pause=0.01, timeout=8,
                 languages=("python",)):  # fmt: skip
        super().__init__(folder, name, processes, timeout)
        self.settings = {
            "endpoint": endpoint, "name": name, "seed": seed, "threads": threads,
            "members": list(range(1, members + 1)), "pause": pause, "timeout": timeout,
        }  # fmt: skip
        self.languages = languages

    def start(self):
        for number, log in enumerate(self.logs):
            process = subprocess.Popen([sys.executable, CLIENT], stdin=subprocess.PIPE, text=True)
            self.processes.append(process)
            own = {"process": number, "log": str(log), "language": self.languages[number % len(self.languages)]}
            process.stdin.write(json.dumps(dict(self.settings, **own)) + "\n")
            process.stdin.flush()
        return self


class FastLoad(Running):
    """Many clients in a few processes of C, at a rate that Python does not reach (0: as fast as answers come)."""

    bodies = 0.01

    def __init__(self, endpoint, folder, name, seed, processes=2, clients=128, members=2000, rate=0, timeout=8):
        super().__init__(folder, name, processes, timeout)
        rng = random.Random(seed)
        self.commands = [
            [BUILD / "bin" / "chaos-load", f"{name}-{number}", rng.getrandbits(63), members, clients, rate / processes,
             timeout * 1000, log, *endpoint.split(",")]
            for number, log in enumerate(self.logs)
        ]  # fmt: skip

    def start(self):
        self.processes = [subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE) for command in self.commands]
        return self
