#!/usr/bin/python3
"""How late events are on the feed, and what the feed costs, while `loyalty bench` sends orders to a running engine.

    build/bin/loyalty up --data DIR &
    test/bench/feed_lag.py --data DIR --rate 5000 --seconds 10

The lag of an event is from its order's `at`, when its transaction began, to its arrival at a subscriber: what it is after the commit
is less by the transaction. Costs are processor time of the feed, and of its session in PostgreSQL, an order. The last line is JSON.
"""

import argparse
import datetime
import json
import multiprocessing
import os
import pathlib
import subprocess
import time

import msgpack
import psycopg2
import zmq

BUILD = pathlib.Path(os.environ.get("LOYALTY_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))


def subscribe(endpoints, stop, answer):
    """Notes the lag of every processed order, without decoding the events while they come."""
    socket = zmq.Context().socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, 1_000_000)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    for endpoint in endpoints:
        socket.connect(endpoint)
    came = []
    while not stop.is_set():
        while socket.poll(50):
            topic, body = socket.recv_multipart()
            if topic == b"order.processed":
                came.append((time.time(), body))
    lags = [(when - datetime.datetime.fromisoformat(msgpack.unpackb(body)["at"].replace("Z", "+00:00")).timestamp()) * 1000 for when, body in came]
    answer.put(sorted(lags))


def processor_s(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--rate", type=int, default=5000, help="orders a second; 0: as many as there may be")
    parser.add_argument("--seconds", type=int, default=10)
    wanted = parser.parse_args()
    up = json.loads((pathlib.Path(wanted.data) / "up.json").read_text())
    database = psycopg2.connect(up["database"])
    database.autocommit = True
    cursor = database.cursor()

    def ask(sql):
        cursor.execute(sql)
        return cursor.fetchone()[0]

    feed = max((pid for name, pid in up["processes"].items() if name.startswith("feed")), key=processor_s)
    session = ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'loyalty-feed' ORDER BY state_change DESC LIMIT 1")
    # The bench's cards are made before anything is measured.
    subprocess.run([str(BUILD / "bin/loyalty"), "bench", "--data", wanted.data, "--seconds", "1", "--json"], stdout=subprocess.DEVNULL, check=True)
    stop, answer = multiprocessing.Event(), multiprocessing.Queue()
    subscriber = multiprocessing.Process(target=subscribe, args=(up["feed_endpoints"], stop, answer))
    subscriber.start()
    before = processor_s(feed), processor_s(session), ask("SELECT count(*) FROM orders"), ask("SELECT last FROM feed_state")
    pace = ["--rate", str(wanted.rate)] if wanted.rate else []
    done = subprocess.run(
        [str(BUILD / "bin/loyalty"), "bench", "--data", wanted.data, "--seconds", str(wanted.seconds), *pace, "--json"],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    time.sleep(1)
    orders = ask("SELECT count(*) FROM orders") - before[2]
    result = json.loads(done.stdout.splitlines()[-1])
    stop.set()
    lags = answer.get()
    subscriber.join()
    print(json.dumps({
        "orders_per_s": result["orders_per_s"], "orders_p99_ms": result["p99_ms"], "orders": orders,
        "events": ask("SELECT last FROM feed_state") - before[3], "arrived": len(lags),
        "lag_p50_ms": round(lags[len(lags) // 2], 1), "lag_p99_ms": round(lags[len(lags) * 99 // 100], 1), "lag_max_ms": round(lags[-1], 1),
        "feed_us_an_order": round((processor_s(feed) - before[0]) / orders * 1e6, 1),
        "session_us_an_order": round((processor_s(session) - before[1]) / orders * 1e6, 1),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
