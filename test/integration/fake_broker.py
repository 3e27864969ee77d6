"""A broker that tests script: a ROUTER in a thread, which answers as it is told and remembers what it saw."""

import heapq
import itertools
import threading
import time

import msgpack
import zmq


def ok(**result):
    """A reply body that says yes."""
    return {"ok": True, "result": result}


def failure(code, message="no", retryable=False, **details):
    """A reply body that says no."""
    return {"ok": False, "error": {"code": code, "message": message, "details": details, "retryable": retryable}}


class Request:
    """One request as it arrived."""

    def __init__(self, identity, header, body, number):
        self.identity = identity
        self.header = msgpack.unpackb(header)
        self.header_bytes = header
        self.body = msgpack.unpackb(body)
        self.body_bytes = body
        self.number = number  # 1 for the first that this broker saw
        self.at = time.monotonic()

    @property
    def id(self):
        return self.header["id"]

    @property
    def key(self):
        return self.header.get("key")

    @property
    def method(self):
        return self.header["method"]


class FakeBroker:
    """Answers every request with `answer (request)`: a reply body; a list of these; bytes (the body frame as
    they are); a list of bytes objects inside a tuple (all frames as they are); or None, for silence. The pair
    (seconds, any of these) inside `later` delays it."""

    def __init__(self, answer=None, endpoint=None, is_mute=False):
        self.is_mute = is_mute  # gives no sign of life when it is asked for one
        self.answer = answer or (lambda request: ok(echo=request.body, number=request.number))
        self.requests = []
        self.pings = 0  # questions for a sign of life: answered, and not among the requests
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(endpoint or "tcp://127.0.0.1:*")
        self.endpoint = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.delayed = []
        self.order = itertools.count()
        self.stopping = threading.Event()
        self.hanging = threading.Event()  # set: takes and answers nothing, but its connections stay
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Closes its connections and is gone; its endpoint is free again."""
        self.stopping.set()
        self.thread.join()
        self.socket.close()
        self.context.term()

    def identities(self):
        """Of the connections over which requests came."""
        return {request.identity for request in self.requests}

    def later(self, seconds, request, reply):
        """Sends `reply` to `request` after a while."""
        heapq.heappush(self.delayed, (time.monotonic() + seconds, next(self.order), request, reply))

    def wait_for(self, count, seconds=5):
        """The first `count` requests, when there are so many."""
        end = time.monotonic() + seconds
        while len(self.requests) < count and time.monotonic() < end:
            time.sleep(0.005)
        assert len(self.requests) >= count, f"{len(self.requests)} requests came, not {count}"
        return self.requests[:count]

    def _run(self):
        while not self.stopping.is_set():
            if self.hanging.is_set():
                time.sleep(0.005)
                continue
            self._send_delayed()
            if self.socket.poll(5) and not self.hanging.is_set():
                self._take(self.socket.recv_multipart())

    def _send_delayed(self):
        while self.delayed and self.delayed[0][0] <= time.monotonic():
            _, _, request, reply = heapq.heappop(self.delayed)
            self._reply(request, reply)

    def _take(self, frames):
        identity, header, body = frames
        request = Request(identity, header, body, len(self.requests) + 1)
        if request.method == "admin.ping" and request.id == 0:  # what client libraries ask by themselves
            self.pings += 1
            if self.is_mute:
                return
            self._reply(request, ok(draining=False))
            return
        self.requests.append(request)
        self._reply(request, self.answer(request))

    def _reply(self, request, reply):
        if reply is None:
            return
        if isinstance(reply, list):
            for one in reply:
                self._reply(request, one)
            return
        if isinstance(reply, tuple):
            self.socket.send_multipart([request.identity, *reply])
            return
        header = msgpack.packb({"v": 1, "id": request.id})
        body = reply if isinstance(reply, bytes) else msgpack.packb(reply)
        self.socket.send_multipart([request.identity, header, body])
