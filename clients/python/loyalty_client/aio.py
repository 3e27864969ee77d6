"""The asyncio client: many calls in flight over one socket."""

import asyncio
import itertools
import os
import time

import zmq
import zmq.asyncio

from ._aio_events import AsyncEvents
from ._base import LoyaltyError
from ._events import FEED_DEFAULT
from ._methods import Methods
from ._retry import Attempts, Liveness, Rotation, Settings
from ._sockets import open_socket
from ._wire import PING, Request, decode_reply, reply_id
from .client import ENDPOINT_DEFAULT

LOOK_INTERVAL = 0.05  # a broken connection shows only when the socket is asked


class _Lost(Exception):
    """The socket is of no more use; the request may be sent through another."""


class _Connection:
    """The socket of one event loop in one process."""

    def __init__(self, settings):
        self.settings = settings
        self.process = os.getpid()
        self.loop = asyncio.get_running_loop()
        self.rotation = Rotation(settings)
        self.opening = asyncio.Lock()
        self.socket = self.watch = None
        self.is_up = False
        self.trouble = None  # why there is no connection
        self.ids = itertools.count(1)
        self.waiting = {}  # id -> future of the body
        self.tasks = []

    def belongs_here(self):
        """Whether it is this process's and this loop's."""
        return self.process == os.getpid() and self.loop is asyncio.get_running_loop()

    def close(self):
        """Closes the socket; who waits for an answer sends again."""
        self.is_up = False
        for task in self.tasks:
            task.cancel()
        self.tasks = []
        if self.socket is not None:
            self.socket.close(linger=0)
            self.watch.close()
            self.socket = self.watch = None
        waiting, self.waiting = self.waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(_Lost())

    def _give_up(self, socket):
        if socket is not None and self.socket is socket:
            self.rotation.failed()
            self.close()

    async def _open(self, attempts):
        pause = self.rotation.not_before - time.monotonic()
        if pause > 0:
            await asyncio.sleep(min(pause, attempts.left()))
        if attempts.left() <= 0:
            raise _Lost
        try:
            self.socket, self.watch = open_socket(self.settings, self.rotation.next(), zmq.asyncio.Context)
        except zmq.ZMQError as error:
            self.trouble = str(error)
            await asyncio.sleep(min(self.settings.connect_timeout, attempts.left()))
            self.rotation.failed()
            raise _Lost from error
        socket = self.socket
        try:
            connected = await self._wait_for_connection(socket, min(self.settings.connect_timeout, attempts.left()))
        except asyncio.CancelledError:
            self.close()
            raise
        if not connected:
            self._give_up(socket)
            if self.rotation.is_refused(self.trouble) and attempts.sent == 0:
                raise attempts.expired(self.rotation.endpoint, self.trouble)
        if self.socket is not socket:
            raise _Lost
        self.is_up = True
        self.rotation.connected()
        self.tasks = [self.loop.create_task(self._receive()), self.loop.create_task(self._look())]

    async def _wait_for_connection(self, socket, wait):
        """Whether there is one; False once time is up or the handshake failed, with the reason in `trouble`."""
        end = time.monotonic() + wait
        while not await socket.poll(int(min(wait, LOOK_INTERVAL) * 1000) + 1, zmq.POLLOUT):
            self.trouble = self.watch.trouble() if self.socket is socket else None
            wait = end - time.monotonic()
            if self.trouble is not None or wait <= 0 or self.socket is not socket:
                return False
        self.trouble = None
        return True

    async def ready(self, attempts):
        """Returns when there is a connection; one caller opens it for all."""
        while not self.is_up:
            async with self.opening:
                if not self.is_up:
                    await self._open(attempts)

    async def _receive(self):
        """Hands every reply to who waits for it; late ones and garbage go nowhere."""
        socket = self.socket
        while True:
            frames = await socket.recv_multipart()
            self.rotation.received()
            future = self.waiting.get(reply_id(frames))
            if future is not None and not future.done():
                future.set_result(frames[1])

    async def _look(self):
        """Finds out when the connection broke, or its broker went silent."""
        socket = self.socket
        while True:
            await asyncio.sleep(LOOK_INTERVAL)
            verdict = self.rotation.look(bool(self.waiting))
            try:
                if verdict == Liveness.ASK:
                    await socket.send_multipart(PING, zmq.DONTWAIT)
            except zmq.Again:
                verdict = Liveness.SILENT
            if verdict == Liveness.SILENT or not socket.get(zmq.EVENTS) & zmq.POLLOUT:
                # Not from here, as closing cancels this task.
                self.loop.call_soon(self._give_up, socket)
                return

    def answered(self, socket, error=None):
        """A request through that socket was answered: ok, or with this error. True: it sends its client to another
        broker; then all that wait for answers send again there."""
        if error is not None and self.rotation.is_sent_away(error):
            self._give_up(socket)
            return True
        if self.socket is socket:
            self.rotation.served()
        return False

    async def exchange(self, request, request_id, attempts):
        """Sends one attempt and returns its socket and the body that answers it; None: no answer. Raises _Lost."""
        await self.ready(attempts)
        socket = self.socket
        header = request.header(request_id, attempts.left() * 1000)
        future = self.waiting[request_id] = self.loop.create_future()
        try:
            await socket.send_multipart([header, request.body], zmq.DONTWAIT)
            return socket, await asyncio.wait_for(future, attempts.begin())
        except (asyncio.TimeoutError, zmq.Again):
            attempts.silent()
            return socket, None
        except _Lost:
            attempts.lost()
            raise
        finally:
            self.waiting.pop(request_id, None)


class AsyncClient(Methods):
    """A client of the Loyalty Engine for asyncio: any number of calls at once, of which ``in_flight`` are on
    their way and the others wait their turn. The other arguments are those of ``Client``.

    It belongs to the event loop that calls it; a call from another loop or, after a fork, another process makes
    a socket of its own. Close it with ``await client.close()`` or use it in ``async with``.
    """

    def __init__(
        self,
        endpoints=ENDPOINT_DEFAULT,
        *,
        timeout=5.0,
        silence=2.0,
        connect_timeout=0.5,
        probe=0.25,
        backoff=(0.02, 1.0),
        in_order=False,
        server_key=None,
        public_key=None,
        secret_key=None,
        key_file=None,
        in_flight=1024,
    ):
        self._settings = Settings(
            endpoints, timeout, silence, connect_timeout, probe, backoff, in_order, server_key, public_key,
            secret_key, key_file,
        )
        self._in_flight = in_flight
        self._connection = None
        self._turns = None
        self._closed = False

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()

    async def close(self):
        """Closes the socket, and takes no more calls."""
        self._closed = True
        if self._connection is not None and self._connection.belongs_here():
            self._connection.close()
        self._connection = None

    def _connect(self):
        if self._closed:
            raise LoyaltyError("the client is closed", code="unavailable")
        if self._connection is None or not self._connection.belongs_here():
            # One of another loop or process is left alone: its socket is not ours to touch.
            self._connection = _Connection(self._settings)
            self._turns = asyncio.Semaphore(self._in_flight)
        return self._connection

    async def call(self, method, body=None, *, key=None, timeout=None, affinity=None, traceparent=None):
        """Calls a method and returns its result: see ``Client.call``. When it is cancelled, the engine may
        still do what was asked."""
        request = Request(method, body, key, affinity, traceparent)
        attempts = Attempts(self._settings, timeout)
        connection = self._connect()
        try:
            async with self._turns:
                return await self._try(connection, request, next(connection.ids), attempts)
        except LoyaltyError as error:
            error.key = request.key
            raise

    def events(self, after=None, topics=(), *, feeds=FEED_DEFAULT, silence=2.0, feed_key=None):
        """Follows the event feed (``async for``): see ``Client.events``, whose arguments these are, and
        ``AsyncEvents``."""
        return AsyncEvents(self, after, topics, feeds, silence, feed_key)

    async def _try(self, connection, request, request_id, attempts):
        while attempts.left() > 0 and not self._closed:
            try:
                socket, data = await connection.exchange(request, request_id, attempts)
            except _Lost:
                continue
            if data is None:
                continue
            try:
                result = decode_reply(data)
            except LoyaltyError as error:
                is_sent_away = connection.answered(socket, error)
                await asyncio.sleep(attempts.refused(error, is_sent_away))
            else:
                connection.answered(socket)
                return result
        raise attempts.expired(connection.rotation.endpoint, connection.trouble)

    async def _drive(self, steps, options):
        result = None
        while True:
            try:
                method, body = steps.send(result)
            except StopIteration as stop:
                return stop.value
            result = await self.call(method, body, **options)


__all__ = ["AsyncClient"]
