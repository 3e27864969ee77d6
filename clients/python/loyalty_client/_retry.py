"""When to send again, and when to give up: shared by the client and the asyncio client."""

import random
import time

from ._keys import FINAL, keys_of, load_keys
from ._tables import LIMITS, Busy, InvalidRequest, Unauthenticated, Unavailable, WorkerLost

PASSING = (Busy, Unavailable, WorkerLost)


class Settings:
    """How a client behaves; all times in seconds."""

    def __init__(self, endpoints, timeout, silence, connect_timeout, backoff, server_key=None, public_key=None,
                 secret_key=None, key_file=None):  # fmt: skip
        self.endpoints = [endpoints] if isinstance(endpoints, str) else list(endpoints)
        if not self.endpoints or not all(isinstance(one, str) and "://" in one for one in self.endpoints):
            raise InvalidRequest("endpoints: each must be like tcp://HOST:PORT or ipc://PATH")
        self.timeout = self._seconds("timeout", timeout)
        self.silence = self._seconds("silence", silence)
        self.connect_timeout = self._seconds("connect_timeout", connect_timeout)
        self.backoff_min, self.backoff_max = (self._seconds("backoff", one) for one in backoff)
        if key_file is not None and (server_key, public_key, secret_key) != (None, None, None):
            raise InvalidRequest("key_file holds all keys: give it or them")
        self.keys = keys_of(server_key, public_key, secret_key) if key_file is None else load_keys(key_file)

    @staticmethod
    def _seconds(name, value):
        if not 0 < value <= LIMITS["ttl_max_ms"] / 1000:
            raise InvalidRequest(f"{name}: over 0 and at most {LIMITS['ttl_max_ms'] // 1000} seconds")
        return value

    def backoff(self, times):
        """The smallest wait doubled so many times, at most the largest, with up to half of it more."""
        wait = min(self.backoff_min * 2 ** min(times, 20), self.backoff_max)
        return wait * (1 + random.random() / 2)


class Attempts:
    """One request's way through its attempts: the deadline, how long to wait, what to raise in the end."""

    def __init__(self, settings, timeout=None):
        self.settings = settings
        self.deadline = time.monotonic() + (settings._seconds("timeout", timeout) if timeout else settings.timeout)
        self.sent = 0
        self.silences = 0
        self.outcome_unknown = False
        self.last = None  # what the last attempt was answered with

    def left(self):
        """Seconds until the deadline; not below 0."""
        return max(0.0, self.deadline - time.monotonic())

    def begin(self):
        """An attempt is on the wire. Returns how long to wait for its answer: twice as long after every one that was
        not answered, so that an engine that is slow is not given ever more to do."""
        wait = self.settings.silence * 2 ** min(self.silences, 16)
        self.sent += 1
        self.last = None
        return min(wait, self.left())

    def silent(self):
        """The attempt was not answered."""
        self.outcome_unknown = True
        self.silences += 1

    def refused(self, error):
        """The attempt was answered with `error`. Returns the seconds after which to try again; raises the error
        where that is of no use."""
        if isinstance(error, (Unavailable, WorkerLost)) or error.outcome_unknown:
            self.outcome_unknown = True
        error.outcome_unknown = self.outcome_unknown
        self.last = error
        wait = error.retry_after * (1 + random.random() / 2) or self.settings.backoff(self.sent - 1)
        if not isinstance(error, PASSING) or wait >= self.left():
            raise error
        return wait

    def expired(self, endpoint, trouble=None):
        """What to raise when there is no time left."""
        if self.last is not None:
            return self.last
        why = f"; {trouble}" if trouble else ""
        if self.sent == 0:
            kind = Unauthenticated if trouble in FINAL else Unavailable
            return kind(f"no broker was reached in time (last tried: {endpoint}{why})")
        message = f"no answer in time (sent {self.sent} times, at last to {endpoint}{why})"
        return Unavailable(message, outcome_unknown=self.outcome_unknown)


class Rotation:
    """Which endpoint is next, and how long to wait after all of them failed."""

    def __init__(self, settings):
        self.settings = settings
        self.index = len(settings.endpoints) - 1  # the next is the first
        self.failures = 0  # sockets given up since a broker last answered
        self.refusals = 0  # of handshakes, one after another
        self.not_before = 0.0
        self.unanswered = None  # when the first message was sent since anything was received

    @property
    def endpoint(self):
        """The one in use, or tried last."""
        return self.settings.endpoints[self.index]

    def next(self):
        """Goes on to the next endpoint."""
        self.index = (self.index + 1) % len(self.settings.endpoints)
        self.unanswered = None
        return self.endpoint

    def failed(self):
        """The one in use was given up. Each is tried once without waiting, then there is a wait after each round."""
        self.failures += 1
        rounds, rest = divmod(self.failures, len(self.settings.endpoints))
        if rest == 0:
            self.not_before = time.monotonic() + self.settings.backoff(rounds - 1)

    def is_refused(self, trouble):
        """The one in use was given up for `trouble`. Whether every endpoint has now refused this client's keys."""
        self.refusals = self.refusals + 1 if trouble in FINAL else 0
        return self.refusals > 0 and self.refusals % len(self.settings.endpoints) == 0

    def sent(self):
        """A message was sent."""
        if self.unanswered is None:
            self.unanswered = time.monotonic()

    def received(self):
        """A message came."""
        self.failures = 0
        self.unanswered = None

    def is_silent(self):
        """Nothing was received for too long after something was sent: longer for each round that failed before,
        as an engine that is slow at one request is not dead."""
        if self.unanswered is None:
            return False
        rounds = min(self.failures // len(self.settings.endpoints), 6)
        return time.monotonic() - self.unanswered >= self.settings.silence * 2**rounds
