"""Following the event feed with the synchronous client."""

import os
import time

import zmq

from ._base import LoyaltyError
from ._follow import Follow
from ._sockets import open_subscriber
from ._tables import LIMITS, Busy, Conflict, ExpiredDeadline, InvalidRequest, TooOld, Unavailable, WorkerLost

FEED_DEFAULT = "tcp://127.0.0.1:7650"
PASSING = (Busy, ExpiredDeadline, Unavailable, WorkerLost)
MESSAGES_AT_ONCE = 1000  # so that other things get their turn
READ_TIMEOUT = 1.0  # at first: events that come by themselves do not wait long for a broker that is away
WAIT_MAX = 60.0


class Subscription:
    """What following has in common for both clients: the options, the place in the feed, what went wrong."""

    def __init__(self, client, after, topics, feeds, silence, feed_key):
        feeds = feeds.split(",") if isinstance(feeds, str) else list(feeds)
        topics = [topics] if isinstance(topics, str) else list(topics)
        if not all(isinstance(one, str) and "://" in one for one in feeds):
            raise InvalidRequest("feeds: each must be like tcp://HOST:PORT or ipc://PATH")
        if not all(isinstance(one, str) and one for one in topics):
            raise InvalidRequest("topics: each must be a name")
        if not 0 < silence <= LIMITS["ttl_max_ms"] / 1000:
            raise InvalidRequest(f"silence: over 0 and at most {LIMITS['ttl_max_ms'] // 1000} seconds")
        self._client = client
        self._feeds, self._feed_key = feeds, feed_key
        self._follow = Follow(after, topics, silence, time.monotonic())
        self._closed = False
        #: What keeps events from being read at the moment; None: nothing does.
        self.trouble = None
        #: After TooOld: the oldest number that can still be read.
        self.oldest = None

    @property
    def position(self):
        """Where it stands: every event up to this number was handed out, or is of a topic not asked for. What to
        store, and to give as ``after``, once the last event is dealt with. None: not known yet."""
        return self._follow.position

    @property
    def newest(self):
        """The newest number heard of; 0: none yet."""
        return self._follow.newest

    @property
    def stats(self):
        """Counts of what happened: delivered, received, repeated, dropped, garbage, reads, gaps."""
        names = ("delivered", "received", "repeated", "dropped", "garbage", "reads", "gaps")
        return {name: self._follow.counts[name] for name in names}

    def resume(self, after):
        """Goes on after another number (None: only what is new): after TooOld, ``oldest - 1``."""
        self.trouble = None
        self._follow.resume(after)

    def _check_open(self):
        if self._closed:
            raise LoyaltyError("the subscription is closed", code="unavailable")

    def _check_place(self):
        if self._follow.is_ahead():
            raise Conflict(
                f"the feed ends at {self._follow.tip}, before {self._follow.position}: "
                "it is another engine, or one that was restored"
            )

    def _subscribe(self, kind):
        """A socket that hears every feed; None where there are none."""
        if not self._feeds:
            return None
        return open_subscriber(self._client._settings, self._feeds, self._feed_key, kind)

    def _take_page(self, result):
        self.trouble = None
        self._follow.page(result, time.monotonic())

    def _refused(self, error):
        """A read failed: what passes is noted, the rest raised."""
        if not isinstance(error, PASSING):
            if isinstance(error, TooOld) and str(error.details.get("oldest", "")).isdigit():
                self.oldest = int(error.details["oldest"])
            raise error
        self.trouble = error
        self._follow.read_failed(time.monotonic())


class Events(Subscription):
    """The events of an engine: every one once, in order, without a gap. Made by ``Client.events``.

    Iterating gives event after event, for ever; ``next (timeout)`` one, or None. An event is a dict: ``number``,
    ``topic``, ``at``, and what the topic tells. It belongs to one thread at a time, and goes on in a child process
    after a fork with sockets of its own. While feeds or brokers are away it goes on by itself (``trouble`` says
    what is wrong). Raises TooOld when events after its position are past their retention, and Conflict when the
    feed ends before its position (a restored database): ``resume`` goes on from another number.
    """

    def __init__(self, client, after, topics, feeds, silence, feed_key):
        super().__init__(client, after, topics, feeds, silence, feed_key)
        self._socket = None
        self._process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        try:
            self.close()
        except Exception:  # the interpreter is going down, or zmq is gone already
            pass

    def close(self):
        """Closes the socket, where it is this process's."""
        self._closed = True
        if self._socket is not None and self._process == os.getpid():
            self._socket.close(linger=0)
        self._socket = None

    def __iter__(self):
        return self

    def __next__(self):
        return self.next()

    def _open(self):
        if self._process == os.getpid():
            return
        # One of the parent is left alone: it is not ours to touch.
        self._process = os.getpid()
        self._follow.is_unsure = True
        self._socket = self._subscribe(zmq.Context)

    def _take_messages(self, now):
        for _ in range(MESSAGES_AT_ONCE):
            try:
                frames = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._follow.message(frames, now)

    def next(self, timeout=None):
        """The next event, waiting for one up to ``timeout`` seconds (None: for ever); None: none in that time. Asking
        an engine that does not answer may take a little longer."""
        end = None if timeout is None else time.monotonic() + timeout
        is_over = False
        while True:
            self._check_open()
            self._open()
            # What is at hand first: meanwhile messages wait in the socket, or are dropped by the feed and read later.
            event = self._follow.next()
            now = time.monotonic()
            if event is None and self._socket is not None:
                self._take_messages(now)
                event = self._follow.next()
            if event is not None or is_over:
                return event
            self._check_place()
            left = WAIT_MAX if end is None else max(0.0, end - now)
            if now >= self._follow.read_due():
                self._read()
            else:
                self._wait(min(left, self._follow.read_due() - now, WAIT_MAX))
            is_over = end is not None and time.monotonic() >= end

    def _wait(self, seconds):
        if self._socket is None:
            time.sleep(seconds)
        else:
            self._socket.poll(int(seconds * 1000) + 1)

    def _read(self):
        timeout = min(READ_TIMEOUT * 2 ** min(self._follow.failures, 10), self._client._settings.timeout)
        try:
            result = self._client.call("events.read", self._follow.read_body(), timeout=timeout)
        except LoyaltyError as error:
            self._refused(error)
        else:
            self._take_page(result)


__all__ = ["Events", "FEED_DEFAULT", "Subscription"]
