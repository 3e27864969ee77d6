"""Sends a history to an engine: many customers at once, each one's orders one after another."""

import hashlib
import json
import random
import time

import msgpack

from loyalty_client import affinity
from raw_client import RawClient, result_of

from .history import Customer

# Differ from engine to engine. A worker that stood still has its requests done by another, so that even a first answer may be a replay.
ODD = ("card_id", "code", "replayed")
RETRYABLE_TRIES = 5


def send(engine, history, under_way, seed, tell):
    """Sends all orders, `under_way` of them at a time, customers in a random sequence. Returns (answers, sent): a digest of each
    answer, and the requests as they were sent, by order id."""
    numbers = sorted(history.members)
    random.Random(seed).shuffle(numbers)
    waiting = (Customer(number, history.members[number]) for number in numbers)
    answers, sent = {}, {}

    def requests(customer):
        request = customer.next()
        if request is not None:
            sent[request[1]["order_id"]] = request
        return request

    def hear(customer, order_id, answer):
        customer.hear(answer)
        answers[order_id] = digest(answer)

    seconds = exchange(engine, waiting, requests, hear, under_way, history.count, tell)
    return answers, sent, seconds


def resend(engine, sent, under_way, seed, tell):
    """Sends what was sent once more, in a random sequence, each order for itself. Returns (answers, seconds)."""
    orders = sorted(sent)
    random.Random(seed).shuffle(orders)
    answers, done = {}, set()

    def requests(order_id):
        if order_id in done:
            return None
        done.add(order_id)
        return sent[order_id]

    def hear(_, order_id, answer):
        assert answer["replayed"], order_id
        answers[order_id] = digest(answer)

    seconds = exchange(engine, iter(orders), requests, hear, under_way, len(orders), tell)
    return answers, seconds


def exchange(engine, waiting, requests, hear, under_way, count, tell):
    """Keeps `under_way` senders of `waiting` busy, each with one request at a time, until none has more; the seconds it took."""
    start = time.monotonic()
    open_requests, heard = {}, 0
    with RawClient(engine.endpoint) as client:

        def post(sender, request, tries=1):
            method, body = request
            number = client.send(method, msgpack.packb(body), body["order_id"], affinity=affinity(body))
            open_requests[number] = (sender, request, tries)

        def start_next():
            for sender in waiting:
                request = requests(sender)
                if request is not None:
                    post(sender, request)
                    return

        for _ in range(under_way):
            start_next()
        while open_requests:
            message = client.receive()
            assert message is not None, "the engine does not answer"
            header, reply = message
            sender, request, tries = open_requests.pop(header["id"])
            if not reply["ok"] and reply["error"]["retryable"] and tries < RETRYABLE_TRIES:
                post(sender, request, tries + 1)
                continue
            hear(sender, request[1]["order_id"], result_of(reply))
            heard += 1
            if heard % 500 == 0 or heard == count:
                tell(heard, count)
            following = requests(sender)
            if following is not None:
                post(sender, following)
            else:
                start_next()
    assert heard == count, (heard, count)
    return time.monotonic() - start


def digest(answer):
    """An answer as a short text, without what differs from engine to engine."""
    return hashlib.blake2b(json.dumps(plain(answer), sort_keys=True).encode(), digest_size=16).hexdigest()


def plain(value):
    if isinstance(value, dict):
        value = {name: plain(inner) for name, inner in value.items() if name not in ODD}
        for name in ("points", "cards"):  # they stand by card id
            if isinstance(value.get(name), list):
                value[name].sort(key=lambda one: json.dumps(one, sort_keys=True))
        return value
    return [plain(inner) for inner in value] if isinstance(value, list) else value
