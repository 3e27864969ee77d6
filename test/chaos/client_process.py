"""One process of chaos clients: threads that send operations one after another and write down each one before it is
sent and how it ended. Its settings come as JSON on the first line of standard input; it ends when that is closed."""

import dataclasses
import json
import pathlib
import random
import sys
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "clients" / "python"), str(TOP / "test" / "integration")]

import c_client  # noqa: E402
from loyalty_client import Client, LoyaltyError  # noqa: E402
from operations import Mix  # noqa: E402


class Log:
    """Lines of JSON, written out at once."""

    def __init__(self, path):
        self.file = open(path, "a", buffering=1)
        self.lock = threading.Lock()

    def write(self, **entry):
        line = json.dumps(entry) + "\n"
        with self.lock:
            self.file.write(line)


def outcome_of(client, operation, timeout, **options):
    """How a request ended, as the log has it."""
    try:
        result = client.call(operation.method, operation.body, key=operation.header_key, timeout=timeout, **options)
        return {"ok": True, "result": result}
    except (LoyaltyError, c_client.Failed) as error:
        return {"ok": False, "code": error.code, "message": error.message, "unknown": error.outcome_unknown}


class CClient:
    """The C client: one for each thread, as it belongs to one at a time."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.local = threading.local()

    def call(self, method, body, **options):
        if not hasattr(self.local, "client"):
            self.local.client = c_client.Client(self.endpoint)
        return self.local.client.call(method, body, **options)


def run(settings, number, client, log, stop):
    name = f"{settings['name']}-{settings['process']}.{number}"
    mix = Mix(settings["seed"], name, settings["members"])
    pace = random.Random(name)
    while not stop.is_set():
        operation = mix.next()
        log.write(event="send", t=time.monotonic(), key=operation.key, operation=dataclasses.asdict(operation))
        outcome = outcome_of(client, operation, settings["timeout"])
        log.write(event="done", t=time.monotonic(), key=operation.key, kind=operation.kind, **outcome)
        mix.answered(operation, outcome["ok"])
        stop.wait(pace.random() * 2 * settings["pause"])


def main():
    settings = json.loads(sys.stdin.readline())
    stop = threading.Event()
    log = Log(settings["log"])
    client = {"python": Client, "c": CClient}[settings["language"]](settings["endpoint"])
    threads = [
        threading.Thread(target=run, args=(settings, number, client, log, stop)) for number in range(settings["threads"])
    ]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
