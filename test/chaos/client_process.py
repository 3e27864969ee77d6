"""One process of chaos clients: threads that send operations one after another and write down each one before it is
sent and how it ended. Its settings come as JSON on the first line of standard input; it ends when that is closed."""

import dataclasses
import json
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "clients" / "python"))

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
    except LoyaltyError as error:
        return {"ok": False, "code": error.code, "message": error.message, "unknown": error.outcome_unknown}


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
    client = Client(settings["endpoint"])
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
