"""The three clients (C, Python, Python for asyncio) behind one face, so that one test tries them all."""

import asyncio
import os

import c_client
import pytest
from harness import BUILD  # also puts the Python client on the path
from loyalty_client import AsyncClient, Client, LoyaltyError

HURRY = {"timeout": 3.0, "silence": 0.15, "connect_timeout": 0.15, "probe": 0.1, "backoff": (0.005, 0.02), "in_order": True}


class PythonFace:
    """The synchronous Python client."""

    Error = LoyaltyError

    def __init__(self, endpoints, **options):
        self.client = Client(endpoints, **dict(HURRY, **options))

    def call(self, method, body=None, **options):
        return self.client.call(method, body, **options)

    def call_many(self, calls):
        """The results, or the exceptions, of [(method, body)], in their order."""
        return [self._outcome(*call) for call in calls]

    def _outcome(self, method, body):
        try:
            return self.call(method, body)
        except self.Error as error:
            return error

    def events(self, **options):
        return self.client.events(**options)

    def close(self):
        self.client.close()


class AsyncFace:
    """The asyncio client, in an event loop that runs while a call does."""

    Error = LoyaltyError

    def __init__(self, endpoints, **options):
        self.loop = asyncio.new_event_loop()
        self.client = AsyncClient(endpoints, **dict(HURRY, **options))

    def call(self, method, body=None, **options):
        return self.loop.run_until_complete(self.client.call(method, body, **options))

    def call_many(self, calls):
        async def gather():
            return await asyncio.gather(*(self.client.call(*call) for call in calls), return_exceptions=True)

        return self.loop.run_until_complete(gather())

    def events(self, **options):
        return AsyncEventsFace(self.loop, self.client.events(**options))

    def close(self):
        self.loop.run_until_complete(self.client.close())
        self.loop.close()


class AsyncEventsFace:
    """A subscription of the asyncio client, whose event loop runs while it is asked."""

    def __init__(self, loop, events):
        self.loop, self.events = loop, events

    def __getattr__(self, name):
        return getattr(self.events, name)

    def next(self, timeout=None):
        return self.loop.run_until_complete(self.events.next(timeout))

    def close(self):
        self.loop.run_until_complete(self.events.close())


class CFace:
    """The C library."""

    Error = c_client.Failed

    def __init__(self, endpoints, **options):
        self.client = c_client.Client(endpoints, **dict(HURRY, **options))

    def call(self, method, body=None, **options):
        return self.client.call(method, body, **options)

    def call_many(self, calls):
        order = {self.client.submit(*call): place for place, call in enumerate(calls)}
        outcomes = [None] * len(order)
        for _ in calls:
            handle, outcome = self.client.next_outcome(10)
            outcomes[order[handle]] = outcome
        return outcomes

    def events(self, **options):
        return self.client.events(**options)

    def close(self):
        self.client.close()


FACES = {"c": CFace, "python": PythonFace, "asyncio": AsyncFace}


def skip_where_not_loadable():
    """A library that was built with AddressSanitizer can be loaded only into a process that has it."""
    path = c_client.library_path()
    assert path.exists(), f"{path} is not there: build it, or set LOYALTY_BUILD"
    if b"__asan_init" in path.read_bytes() and "asan" not in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("the C library was built with AddressSanitizer: unit-client tries the same without Python")


__all__ = ["BUILD", "FACES", "HURRY", "skip_where_not_loadable"]
