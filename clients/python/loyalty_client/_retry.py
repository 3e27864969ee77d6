"""When to send again, and when to give up: shared by the client and the asyncio client."""

import random
import time

from ._keys import FINAL, keys_of, load_keys
from ._tables import LIMITS, Busy, InvalidRequest, Unauthenticated, Unavailable, WorkerLost

PASSING = (Busy, Unavailable, WorkerLost)


class Settings:
    """How a client behaves; all times in seconds."""

    def __init__(self, endpoints, timeout, silence, connect_timeout, probe, backoff, in_order=False, server_key=None,
                 public_key=None, secret_key=None, key_file=None):  # fmt: skip
        endpoints = [endpoints] if isinstance(endpoints, str) else list(endpoints)
        self.endpoints = [one for text in endpoints for one in (text.split(",") if isinstance(text, str) else [text])]
        if not self.endpoints or not all(isinstance(one, str) and "://" in one for one in self.endpoints):
            raise InvalidRequest("endpoints: each must be like tcp://HOST:PORT or ipc://PATH")
        self.timeout = self._seconds("timeout", timeout)
        self.silence = self._seconds("silence", silence)
        self.connect_timeout = self._seconds("connect_timeout", connect_timeout)
        self.probe = self._seconds("probe", probe)
        self.in_order = in_order
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
        """The attempt was not answered, though the broker lives."""
        self.outcome_unknown = True
        self.silences += 1

    def lost(self):
        """The attempt was not answered, and its socket is gone."""
        self.outcome_unknown = True

    def refused(self, error, is_sent_away=False):
        """The attempt was answered with `error`. Returns the seconds after which to try again (sent to another broker,
        it does not matter when this one could); raises the error where that is of no use."""
        if isinstance(error, (Unavailable, WorkerLost)) or error.outcome_unknown:
            self.outcome_unknown = True
        error.outcome_unknown = self.outcome_unknown
        self.last = error
        asked = 0 if is_sent_away else error.retry_after * (1 + random.random() / 2)
        wait = asked or self.settings.backoff(self.sent - 1)
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


class Liveness:
    """Whether the broker at the other end of a socket lives: docs/protocol.md, "Retries", has the rules, and
    test/vectors/liveness.json examples of them. Times in seconds, given by the caller."""

    FINE = "fine"
    ASK = "ask"  # send admin.ping
    SILENT = "silent"  # nothing came after that either: give the socket up
    STEP_MAX = 0.1  # of the time between two looks so much counts: a client that stood still has not listened
    DOUBLINGS_MAX = 6

    def __init__(self, now):
        self.is_waiting = False
        self.heard(now)

    def heard(self, now):
        """A message came."""
        self.looked = now
        self.quiet = 0.0  # of waiting, since something came, or since the question was sent
        self.is_asked = False

    def look(self, now, is_waiting, patience, rounds):
        """To be called after all that came was read. ``is_waiting``: some request that was sent is not answered.
        ``patience``: how long nothing may come; doubled for each of ``rounds``, the rounds of brokers that were given
        up in vain."""
        step = now - self.looked
        was_waiting = self.is_waiting
        self.looked = now
        self.is_waiting = is_waiting
        if not is_waiting or not was_waiting:
            return self.FINE
        self.quiet += min(step, self.STEP_MAX)
        if self.quiet < patience * 2 ** min(rounds, self.DOUBLINGS_MAX):
            return self.FINE
        self.quiet = 0.0
        if self.is_asked:
            return self.SILENT
        self.is_asked = True
        return self.ASK


class Rotation:
    """Which endpoint is next, and how long to wait after all of them failed."""

    def __init__(self, settings):
        self.settings = settings
        count = len(settings.endpoints)
        self.index = count - 1 if settings.in_order else random.randrange(count)  # going on takes the next
        self.failures = 0  # sockets given up since a broker last served
        self.refusals = 0  # of handshakes, one after another
        self.not_before = 0.0
        self.liveness = None  # of the socket in use

    @property
    def endpoint(self):
        """The one in use, or tried last."""
        return self.settings.endpoints[self.index]

    def next(self):
        """Goes on to the next endpoint."""
        self.index = (self.index + 1) % len(self.settings.endpoints)
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

    def connected(self):
        """The socket in use got through."""
        self.liveness = Liveness(time.monotonic())

    def received(self):
        """A message came."""
        self.liveness.heard(time.monotonic())

    def served(self):
        """The broker does what it is there for: endpoints that failed are forgotten."""
        self.failures = 0

    def look(self, is_waiting=True):
        """Whether the broker lives, as Liveness tells it."""
        rounds = self.failures // len(self.settings.endpoints)
        return self.liveness.look(time.monotonic(), is_waiting, self.settings.probe, rounds)

    def is_sent_away(self, error):
        """Whether the error tells that another broker may serve, and there is another."""
        return len(self.settings.endpoints) > 1 and error.details.get("reason") in ("draining", "no_worker")
