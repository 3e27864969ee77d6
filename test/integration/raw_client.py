"""A client made of frames: what a test wants to send, right or wrong, and as many requests under way as it likes."""

import itertools
import time
import uuid

import msgpack
import zmq

import curve

from harness import BUILD  # noqa: F401  puts the Python client on the path
from loyalty_client import METHODS

WAIT_S = 60  # an upper bound for what takes a moment: sanitizers on a busy machine


class RawClient:
    """One DEALER socket. Nothing is sent again by itself: each request gets one answer, or the test fails."""

    def __init__(self, endpoint):
        self.context = zmq.Context.instance()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        curve.protect(self.socket)
        self.socket.connect(endpoint)
        self.ids = itertools.count(1)
        self.replies = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close(0)

    def send_frames(self, *frames):
        self.socket.send_multipart(frames)

    def send(self, method, body=None, key=None, **header):
        """Sends a request, `body` as a dict or as bytes, and returns its id at once."""
        request_id = next(self.ids)
        fields = {"v": 1, "id": request_id, "method": method, "ttl_ms": WAIT_S * 1000}
        if key is None and METHODS.get(method, {}).get("scope") == "op":
            key = str(uuid.uuid4())
        if key is not None:
            fields["key"] = key
        fields.update(header)
        data = body if isinstance(body, bytes) else msgpack.packb(body or {})
        self.send_frames(msgpack.packb(fields), data)
        return request_id

    def receive(self, seconds=WAIT_S):
        """The next message as (header, reply); None when none came in time."""
        if not self.socket.poll(int(seconds * 1000)):
            return None
        head, body = self.socket.recv_multipart()
        return msgpack.unpackb(head), msgpack.unpackb(body, strict_map_key=False)

    def answer(self, request_id, seconds=WAIT_S):
        """The reply to a request: {"ok": …}."""
        end = time.monotonic() + seconds
        while request_id not in self.replies:
            message = self.receive(max(0.0, end - time.monotonic()))
            assert message is not None, f"no answer to request {request_id}"
            assert message[0]["id"] not in self.replies, f"request {message[0]['id']} was answered twice"
            self.replies[message[0]["id"]] = message[1]
        return self.replies[request_id]

    def answers(self, request_ids):
        """The replies to several, in the order of the list."""
        return [self.answer(one) for one in request_ids]

    def call(self, method, body=None, key=None, **header):
        return self.answer(self.send(method, body, key, **header))


def result_of(reply):
    """The result of a reply that must be ok."""
    assert reply["ok"] is True, reply
    return reply["result"]


def error_of(reply):
    """The error of a reply that must be one, of the form that the protocol promises."""
    assert reply["ok"] is False, reply
    error = reply["error"]
    assert set(error) == {"code", "message", "details", "retryable"}, error
    assert error["message"] and isinstance(error["details"], dict)
    return error


def at_once(endpoint, requests):
    """Sends [(method, body, key)], each over a connection of its own, before any answer is awaited; the replies, in
    the order of the list."""
    clients = [RawClient(endpoint) for _ in requests]
    try:
        for client in clients:  # connections take a moment: no request is to wait for that of another
            client.call("admin.stats")
        ids = [client.send(*request) for client, request in zip(clients, requests)]
        return [client.answer(one) for client, one in zip(clients, ids)]
    finally:
        for client in clients:
            client.socket.close(0)
