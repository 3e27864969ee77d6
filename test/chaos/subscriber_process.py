"""One subscriber in Python: follows the feed and writes down what it sees, as chaos_subscriber.c does, by the same
arguments and in the same form. Started again, it goes on from the last whole line."""

import hashlib
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "clients" / "python"))

import msgpack  # noqa: E402

from loyalty_client import Client  # noqa: E402

TAIL_BYTES = 65536


def last_number(log):
    """The number of the last whole line; what stands behind that is cut off. 0: none."""
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - TAIL_BYTES))
    tail = log.read()
    whole = tail[: tail.rfind(b"\n") + 1]
    log.truncate(size - len(tail) + len(whole))
    log.seek(0, os.SEEK_END)
    lines = whole.splitlines()
    return int(lines[-1].split(b"\t")[0]) if lines else 0


def cards_of(event):
    points = event.get("cards" if event["topic"] == "card.created" else "points")
    if points is None:
        return "-"
    if not isinstance(points, list):
        return f"{event.get('card_id', '-')}:{points}:{event.get('balance', '-')}:{event.get('debt', '-')}"
    change = "change" if event["topic"].startswith("order.") else "points"
    names = ("card_id", change, "balance", "debt")
    return ",".join(":".join(str(card.get(name, "-")) for name in names) for card in points) or "-"


def line_of(event):
    # The engine writes MessagePack in its shortest form, so that packed again it is the bytes that came.
    digest = hashlib.blake2b(msgpack.packb(event), digest_size=16).hexdigest()
    about = event.get("order_id") or event.get("reason") or "-"
    return f"{event['number']}\t{event['topic']}\t{digest}\t{about}\t{event.get('amount_total') or '-'}\t{cards_of(event)}\n"


def main():
    path, brokers, feeds = sys.argv[1:]
    with open(path, "ab+") as log, Client(brokers.split(",")) as client:
        events = client.events(after=last_number(log), feeds=feeds.split(","))
        while True:
            event = events.next(0)
            if event is None:
                log.flush()
                event = events.next(0.2)
            if event is not None:
                log.write(line_of(event).encode())


if __name__ == "__main__":
    main()
