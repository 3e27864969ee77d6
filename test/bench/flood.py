#!/usr/bin/python3
"""What a flood from one till does to the others: their p99 alone, and beside it, in one run on one engine.

    test/bench/flood.py [--tills 20] [--rate 400] [--seconds 10] [--flood 2048] [--rounds 3]

So many tills, each with a connection of its own, send orders on a fixed schedule; latency counts from when an order was
due. Rounds without and with a flood alternate. The flood is `loyalty bench`: one connection that keeps so many orders
under way and sends the next at once, and that gives way to the engine, as if it had a machine of its own. Prints a line per round, and one JSON object at the end.
"""

import argparse
import json
import pathlib
import signal
import subprocess
import sys
import time

import msgpack
import zmq

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import Engine, environment, loyalty, program  # noqa: E402

PARTNER_FIRST = 4_000_000_000  # members that `loyalty bench` made
CARDS = 20_000


class Tills:
    """Open-loop load over many connections."""

    def __init__(self, endpoint, count):
        self.context = zmq.Context.instance()
        self.poller = zmq.Poller()
        self.sockets = []
        for _ in range(count):
            socket = self.context.socket(zmq.DEALER)
            socket.linger = 0
            socket.connect(endpoint)
            self.poller.register(socket, zmq.POLLIN)
            self.sockets.append(socket)
        self.sent = 0
        self.run_id = f"{time.time_ns():x}"

    def send(self, due):
        self.sent += 1
        partner = PARTNER_FIRST + self.sent * 7919 % CARDS
        header = {"v": 1, "id": self.sent, "method": "order.process", "ttl_ms": 10000, "affinity": partner}
        lines = [{"product_id": 1 + n, "qty": 1 + n % 3, "price_unit": "3.50"} for n in range(self.sent % 9 + 1)]
        body = {"order_id": f"{self.run_id}-{self.sent}", "partner_id": partner, "lines": lines}
        self.due[self.sent] = due
        self.sockets[self.sent % len(self.sockets)].send_multipart([msgpack.packb(header), msgpack.packb(body)])

    def receive(self, timeout_ms):
        for socket, _ in self.poller.poll(timeout_ms):
            while True:
                try:
                    header, body = socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                now = time.monotonic()
                if msgpack.unpackb(body)["ok"]:
                    self.latencies.append(now - self.due.pop(msgpack.unpackb(header)["id"]))
                else:
                    self.due.pop(msgpack.unpackb(header)["id"])
                    self.errors += 1

    def run(self, rate, seconds):
        """Latencies' percentiles in ms, and how many were refused."""
        self.due, self.latencies, self.errors = {}, [], 0
        begin = time.monotonic()
        for number in range(int(rate * seconds)):
            due = begin + number / rate
            while time.monotonic() < due:
                self.receive(max(0, (due - time.monotonic()) * 1000))
            self.send(due)
            self.receive(0)
        end = time.monotonic() + 10
        while self.due and time.monotonic() < end:
            self.receive(100)
        ordered = sorted(self.latencies)
        return {
            **{f"p{p}_ms": round(ordered[int(len(ordered) * p / 100)] * 1000, 2) for p in (50, 90, 99)},
            "errors": self.errors + len(self.due),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tills", type=int, default=20)
    parser.add_argument("--rate", type=int, default=400, help="orders a second of all of them")
    parser.add_argument("--seconds", type=int, default=10, help="of each round")
    parser.add_argument("--flood", type=int, default=2048, help="orders that the flood keeps under way")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--setting", action="append", help="of the broker, as in client_rate_per_s=100")
    arguments = parser.parse_args()
    rounds = {"alone": [], "flooded": []}
    with Engine(workers=2) as engine:
        if arguments.setting:
            (engine.data / "broker.conf").write_text("".join(f"{setting}\n" for setting in arguments.setting))
            engine.signal("broker", signal.SIGHUP)
        bench = ("bench", "--data", engine.data, "--cards", CARDS, "--json")
        assert loyalty(*bench, "--seconds", 3, timeout=600).returncode == 0
        tills = Tills(engine.endpoint, arguments.tills)
        tills.run(arguments.rate, 3)
        for _ in range(arguments.rounds):
            for kind in rounds:
                flood = None
                if kind == "flooded":
                    options = [*bench, "--warmup", 0, "--seconds", arguments.seconds + 2, "--concurrency", arguments.flood]
                    flood = subprocess.Popen(["nice", "-n", "19", program("loyalty"), *map(str, options)], stdout=subprocess.PIPE,
                                             stderr=subprocess.DEVNULL, text=True, env=environment())  # fmt: skip
                    time.sleep(1)
                figures = tills.run(arguments.rate, arguments.seconds)
                if flood is not None:
                    figures["flood_per_s"] = json.loads(flood.communicate()[0].splitlines()[-1])["orders_per_s"]
                rounds[kind].append(figures)
                print(kind, figures, flush=True)
                time.sleep(1)
    p99 = {kind: sorted(figures["p99_ms"] for figures in rounds[kind])[len(rounds[kind]) // 2] for kind in rounds}
    print(json.dumps({**vars(arguments), **{f"{kind}_p99_ms": value for kind, value in p99.items()},
                      "ratio": round(p99["flooded"] / p99["alone"], 2),
                      "errors": sum(figures["errors"] for kind in rounds for figures in rounds[kind])}))  # fmt: skip


if __name__ == "__main__":
    main()
