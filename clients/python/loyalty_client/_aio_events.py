"""Following the event feed with the asyncio client."""

import asyncio
import os
import time

import zmq
import zmq.asyncio

from ._base import LoyaltyError
from ._events import MESSAGES_AT_ONCE, WAIT_MAX, Subscription


class AsyncEvents(Subscription):
    """The events of an engine, for asyncio: every one once, in order, without a gap. Made by ``AsyncClient.events``.

    ``async for`` gives event after event, for ever; ``await events.next (timeout)`` one, or None; both may be
    cancelled without losing an event. One task at a time uses it. Otherwise it is as ``Events``.
    """

    def __init__(self, client, after, topics, feeds, silence, feed_key):
        super().__init__(client, after, topics, feeds, silence, feed_key)
        self._socket = None
        self._home = None  # the process and the loop that the socket belongs to
        self._reading = None

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()

    async def close(self):
        """Closes the socket, where it is this process's and this loop's."""
        self._closed = True
        if self._home == (os.getpid(), asyncio.get_running_loop()):
            if self._reading is not None:
                self._reading.cancel()
            if self._socket is not None:
                self._socket.close(linger=0)
        self._socket = self._reading = None

    def __aiter__(self):
        return self

    async def __anext__(self):
        return await self.next()

    def resume(self, after):
        """Goes on after another number (None: only what is new): after TooOld, ``oldest - 1``."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        super().resume(after)

    def _open(self):
        home = (os.getpid(), asyncio.get_running_loop())
        if self._home == home:
            return
        # One of another process or loop is left alone: it is not ours to touch.
        self._home = home
        self._reading = None
        self._follow.is_unsure = True
        self._socket = self._subscribe(zmq.asyncio.Context)

    async def _take_messages(self, now):
        for _ in range(MESSAGES_AT_ONCE):
            try:
                frames = await self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._follow.message(frames, now)

    def _end_read(self):
        """Takes what was read, where the engine has answered."""
        if self._reading is None or not self._reading.done():
            return
        reading, self._reading = self._reading, None
        try:
            result = reading.result()
        except LoyaltyError as error:
            self._refused(error)
        else:
            self._take_page(result)

    async def next(self, timeout=None):
        """The next event, waiting for one up to ``timeout`` seconds (None: for ever); None: none in that time."""
        end = None if timeout is None else time.monotonic() + timeout
        is_over = False
        while True:
            self._check_open()
            self._open()
            self._end_read()
            event = self._follow.next()
            now = time.monotonic()
            if event is None and self._socket is not None:
                await self._take_messages(now)
                event = self._follow.next()
            if event is not None or is_over:
                return event
            self._check_place()
            if self._reading is None and now >= self._follow.read_due():
                call = self._client.call("events.read", self._follow.read_body())
                self._reading = asyncio.ensure_future(call)
            left = WAIT_MAX if end is None else max(0.0, end - now)
            if self._reading is None:
                left = min(left, self._follow.read_due() - now, WAIT_MAX)
            await self._wait(left)
            is_over = end is not None and time.monotonic() >= end

    async def _wait(self, seconds):
        """Until a message or an answer comes, or the time is over."""
        awaited = set()
        if self._reading is not None:
            awaited.add(self._reading)
        if self._socket is not None:
            message = self._socket.poll(int(seconds * 1000) + 1)
            awaited.add(message)
        if not awaited:
            await asyncio.sleep(seconds)
            return
        try:
            await asyncio.wait(awaited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self._socket is not None:
                message.cancel()


__all__ = ["AsyncEvents"]
