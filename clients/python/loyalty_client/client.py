"""The synchronous client."""

import itertools
import os
import threading
import time

import zmq

from ._base import LoyaltyError
from ._events import FEED_DEFAULT, Events
from ._methods import Methods
from ._retry import Attempts, Liveness, Rotation, Settings
from ._sockets import open_socket
from ._wire import PING, Request, decode_reply, reply_id

ENDPOINT_DEFAULT = "tcp://127.0.0.1:7600"
SLICE = 0.05  # a broken connection shows only when the socket is asked


class _Lost(Exception):
    """The socket is of no more use, or never came up; the request may be sent through another."""


class _Connection:
    """One thread's socket, towards one endpoint at a time."""

    def __init__(self, settings):
        self.settings = settings
        self.process = os.getpid()
        self.rotation = Rotation(settings)
        self.socket = self.watch = None
        self.is_up = False
        self.trouble = None  # why there is no connection
        self.ids = itertools.count(1)

    def close(self):
        """Closes the socket, where it is this process's."""
        if self.socket is not None and self.process == os.getpid():
            self.socket.close(linger=0)
            self.watch.close()
        self.socket = self.watch = None
        self.is_up = False

    def __del__(self):
        try:
            self.close()
        except Exception:  # the interpreter is going down, or zmq is gone already
            pass

    def _give_up(self):
        self.close()
        self.rotation.failed()

    def _open(self, attempts):
        """Opens a socket to the next endpoint and waits until a broker is there."""
        pause = self.rotation.not_before - time.monotonic()
        if pause > 0:
            time.sleep(min(pause, attempts.left()))
        if attempts.left() <= 0:
            raise _Lost
        try:
            self.socket, self.watch = open_socket(self.settings, self.rotation.next())
        except zmq.ZMQError as error:
            self.trouble = str(error)
            time.sleep(min(self.settings.connect_timeout, attempts.left()))
            self.rotation.failed()
            raise _Lost from error
        self.trouble = self._wait_for_connection(min(self.settings.connect_timeout, attempts.left()))
        self.is_up = self.socket.poll(0, zmq.POLLOUT) != 0
        if not self.is_up:
            self._give_up()
            if self.rotation.is_refused(self.trouble) and attempts.sent == 0:
                raise attempts.expired(self.rotation.endpoint, self.trouble)
            raise _Lost
        self.rotation.connected()

    def _wait_for_connection(self, wait):
        """Returns once there is one, time is up, or the handshake failed: then with the reason."""
        end = time.monotonic() + wait
        while not self.socket.poll(int(min(wait, SLICE) * 1000) + 1, zmq.POLLOUT):
            trouble = self.watch.trouble()
            wait = end - time.monotonic()
            if trouble is not None or wait <= 0:
                return trouble
        return None

    def _ensure(self, attempts):
        """A socket with a connection. One that broke while nobody looked is replaced without much ado."""
        if self.is_up and not self.socket.poll(0, zmq.POLLOUT):
            self.close()
        while not self.is_up:
            self._open(attempts)

    def _is_alive(self):
        """False: the connection broke, or its broker gives no sign of life."""
        verdict = self.rotation.look()
        if verdict == Liveness.SILENT or not self.socket.poll(0, zmq.POLLOUT):
            return False
        if verdict == Liveness.ASK:
            try:
                self.socket.send_multipart(PING, zmq.DONTWAIT)
            except zmq.Again:
                return False
        return True

    def answered(self, error=None):
        """The request was answered: ok, or with this error. True: it sends its client to another broker."""
        if error is not None and self.rotation.is_sent_away(error):
            self._give_up()
            return True
        self.rotation.served()
        return False

    def exchange(self, request, request_id, attempts):
        """Sends one attempt and returns the body that answers it; None: no answer. Raises _Lost."""
        self._ensure(attempts)
        header = request.header(request_id, attempts.left() * 1000)
        try:
            self.socket.send_multipart([header, request.body], zmq.DONTWAIT)
        except zmq.Again:
            self._give_up()
            raise _Lost from None
        self.rotation.look(is_waiting=False)
        end = time.monotonic() + attempts.begin()
        while True:
            left = end - time.monotonic()
            if self.socket.poll(max(0, int(min(left, SLICE) * 1000))):
                frames = self.socket.recv_multipart()
                self.rotation.received()
                # Anything else is late, an answer to a request given up long ago, or garbage.
                if reply_id(frames) == request_id:
                    return frames[1]
            elif not self._is_alive():
                self._give_up()
                attempts.lost()
                raise _Lost
            elif left <= 0:
                attempts.silent()
                return None


class Client(Methods):
    """A client of the Loyalty Engine: one call at a time in each thread.

    ``endpoints``        of brokers: one, several, or a text of several with commas; one of them is used at a time,
                         the next when it is gone, hangs, or is about to stop
    ``timeout``          seconds until a call gives up, its retries included
    ``silence``          seconds without an answer after which a call is sent again
    ``connect_timeout``  seconds without a connection after which the next endpoint is tried
    ``probe``            seconds in which nothing at all comes from a broker that owes an answer, after which it is
                         asked for a sign of life; it is given up after as long again
    ``in_order``         begin with the first endpoint; else with one at random, so that clients spread
    ``backoff``          (least, most) seconds of the growing wait between attempts
    ``key_file``         CURVE keys, in a file that ``loyalty keys`` made for this client; read once
    ``server_key``, ``public_key``, ``secret_key``  CURVE keys in Z85, in its place; without either no CURVE

    Where every broker refuses the client's keys, or wants some, calls raise Unauthenticated.

    A client may be used from any number of threads: each has a socket of its own underneath, made when it
    first calls and closed when the thread ends. It may be made before a fork (as Odoo's prefork workers do)
    and used after it: the child makes its own sockets. In a gevent process use it from a real thread.

    ``call`` sends any method; the methods named after the protocol's (``order_process``, ``card_balance``, ...)
    are shorthands for it. Every failure is a LoyaltyError, of the class of its code.
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
    ):
        self._settings = Settings(
            endpoints, timeout, silence, connect_timeout, probe, backoff, in_order, server_key, public_key,
            secret_key, key_file,
        )
        self._local = threading.local()
        self._closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Closes the calling thread's socket, and takes no more calls. Sockets of other threads are closed when
        these end, as a socket must not be touched by two threads."""
        self._closed = True
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _connection(self):
        if self._closed:
            raise LoyaltyError("the client is closed", code="unavailable")
        connection = getattr(self._local, "connection", None)
        if connection is None or connection.process != os.getpid():
            connection = self._local.connection = _Connection(self._settings)
        return connection

    def call(self, method, body=None, *, key=None, timeout=None, affinity=None, traceparent=None):
        """Calls a method and returns its result, a dict; decimals and times in it are strings.

        ``body``         a dict (Decimal, date, datetime, UUID and enum values are encoded), or MessagePack bytes
        ``key``          for methods that need one; made where it is not given
        ``timeout``      seconds, in place of the client's
        ``affinity``     the broker's hint; from the body where it is not given
        ``traceparent``  W3C trace context, passed on

        Until its time is over the request is sent again, with the same key, after ``busy``, ``unavailable``,
        ``worker_lost`` and silence. Raises a LoyaltyError: its ``outcome_unknown`` says whether the request
        may have been done although it was not answered.
        """
        request = Request(method, body, key, affinity, traceparent)
        attempts = Attempts(self._settings, timeout)
        connection = self._connection()
        request_id = next(connection.ids)
        try:
            return self._try(connection, request, request_id, attempts)
        except LoyaltyError as error:
            error.key = request.key
            raise

    def events(self, after=None, topics=(), *, feeds=FEED_DEFAULT, silence=2.0, feed_key=None):
        """Follows the event feed: an iterator over every event once, in order, without a gap.

        ``after``     the number of the last event that was dealt with (0: none yet); None: only what is new
        ``topics``    names of the topics wanted; none: all
        ``feeds``     endpoints of every feed; an empty list: none, new events are asked for every ``silence``
        ``silence``   seconds without a word of any feed after which the engine is asked
        ``feed_key``  CURVE: the feeds' public key, where it is not the brokers' (``server_key``)

            for event in client.events(after=stored_number, topics=["order.processed"]):
                deal_with(event)
                store(event["number"])  # best together with what was done

        See ``Events``."""
        return Events(self, after, topics, feeds, silence, feed_key)

    def _try(self, connection, request, request_id, attempts):
        while attempts.left() > 0:
            try:
                data = connection.exchange(request, request_id, attempts)
            except _Lost:
                continue
            if data is None:
                continue
            try:
                result = decode_reply(data)
            except LoyaltyError as error:
                is_sent_away = connection.answered(error)
                time.sleep(attempts.refused(error, is_sent_away))
            else:
                connection.answered()
                return result
        raise attempts.expired(connection.rotation.endpoint, connection.trouble)


__all__ = ["Client", "ENDPOINT_DEFAULT"]
