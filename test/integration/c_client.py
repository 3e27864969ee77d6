"""The C library, called through ctypes, with the face of the Python client: so that one test tries both."""

import ctypes
import os
import pathlib

import msgpack

ROOT = pathlib.Path(__file__).resolve().parents[2]


def library_path():
    """Where the build put libloyalty-client.so; LOYALTY_BUILD names the build folder."""
    build = pathlib.Path(os.environ.get("LOYALTY_BUILD", ROOT / "build"))
    return build / "lib" / "libloyalty-client.so"


class Options(ctypes.Structure):
    _fields_ = [
        ("endpoints", ctypes.POINTER(ctypes.c_char_p)),
        ("endpoint_count", ctypes.c_uint),
        ("timeout_ms", ctypes.c_uint),
        ("in_flight_max", ctypes.c_uint),
        ("silence_ms", ctypes.c_uint),
        ("connect_ms", ctypes.c_uint),
        ("backoff_min_ms", ctypes.c_uint),
        ("backoff_max_ms", ctypes.c_uint),
        ("server_key", ctypes.c_char_p),
        ("public_key", ctypes.c_char_p),
        ("secret_key", ctypes.c_char_p),
        ("zmq_context", ctypes.c_void_p),
        ("key_file", ctypes.c_char_p),
        ("probe_ms", ctypes.c_uint),
        ("in_order", ctypes.c_bool),
    ]


class Error(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_int),
        ("name", ctypes.c_char * 32),
        ("message", ctypes.c_char * 256),
        ("retryable", ctypes.c_bool),
        ("outcome_unknown", ctypes.c_bool),
        ("retry_after_ms", ctypes.c_int64),
        ("elsewhere", ctypes.c_bool),
    ]


class Request(ctypes.Structure):
    _fields_ = [
        ("method", ctypes.c_char_p),
        ("body", ctypes.c_char_p),
        ("body_size", ctypes.c_size_t),
        ("key", ctypes.c_char_p),
        ("timeout_ms", ctypes.c_uint),
        ("affinity", ctypes.c_uint64),
        ("traceparent", ctypes.c_char_p),
    ]


class Reply(ctypes.Structure):
    _fields_ = [
        ("handle", ctypes.c_uint64),
        ("context", ctypes.c_void_p),
        ("ok", ctypes.c_bool),
        ("result", ctypes.c_void_p),
        ("result_size", ctypes.c_size_t),
        ("error", Error),
        ("details", ctypes.c_void_p),
        ("details_size", ctypes.c_size_t),
        ("key", ctypes.c_char_p),
        ("attempts", ctypes.c_uint),
        ("elapsed_us", ctypes.c_int64),
        ("memory", ctypes.c_void_p),
    ]


class Stats(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in ("submitted", "sent", "resent", "succeeded", "failed", "late", "garbage", "connects", "connected", "probes")
    ]


class EventsOptions(ctypes.Structure):
    _fields_ = [
        ("after", ctypes.c_int64),
        ("feeds", ctypes.POINTER(ctypes.c_char_p)),
        ("feed_count", ctypes.c_uint),
        ("topics", ctypes.POINTER(ctypes.c_char_p)),
        ("topic_count", ctypes.c_uint),
        ("silence_ms", ctypes.c_uint),
        ("feed_key", ctypes.c_char_p),
    ]


class Event(ctypes.Structure):
    _fields_ = [
        ("number", ctypes.c_int64),
        ("topic", ctypes.c_char_p),
        ("body", ctypes.c_void_p),
        ("body_size", ctypes.c_size_t),
    ]


class EventsStats(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in ("delivered", "received", "repeated", "dropped", "garbage", "reads", "gaps")
    ]


class Failed(Exception):
    """What the library answered with: code, details and so on as the Python client's exceptions have them."""

    def __init__(self, error, details):
        super().__init__(error.message.decode())
        self.message = str(self)
        self.code = error.name.decode()
        self.details = details
        self.retryable = error.retryable
        self.outcome_unknown = error.outcome_unknown


def load_library():
    library = ctypes.CDLL(str(library_path()))
    library.loyalty_client_new.restype = ctypes.c_void_p
    library.loyalty_submit.restype = ctypes.c_uint64
    library.loyalty_affinity.restype = ctypes.c_uint64
    library.loyalty_events_new.restype = ctypes.c_void_p
    for name in ("position", "newest", "oldest"):
        getattr(library, f"loyalty_events_{name}").restype = ctypes.c_int64
    return library


def texts(values):
    """A C array of strings."""
    return (ctypes.c_char_p * len(values))(*[value.encode() for value in values])


def make_options(library, endpoints, timeout, silence, connect_timeout, probe, backoff, in_flight=1024, in_order=False):
    """The options of a client; they borrow from the list of endpoints that they hold."""
    options = Options()
    library.loyalty_options_init(ctypes.byref(options))
    endpoints = [endpoints] if isinstance(endpoints, str) else endpoints
    options.endpoints = texts(endpoints)
    options.endpoint_count = len(endpoints)
    options.timeout_ms = int(timeout * 1000)
    options.silence_ms = int(silence * 1000)
    options.connect_ms = int(connect_timeout * 1000)
    options.probe_ms = int(probe * 1000)
    options.in_order = in_order
    options.backoff_min_ms, options.backoff_max_ms = (int(seconds * 1000) for seconds in backoff)
    options.in_flight_max = in_flight
    return options


class Client:
    """One client of the library."""

    def __init__(self, endpoints, timeout=5.0, silence=2.0, connect_timeout=0.5, probe=0.25, backoff=(0.02, 1.0),
                 in_flight=1024, in_order=False, key_file=None):
        self.library = load_library()
        self.options = make_options(
            self.library, endpoints, timeout, silence, connect_timeout, probe, backoff, in_flight, in_order
        )
        self.options.key_file = key_file.encode() if key_file else None
        error = Error()
        self.pointer = ctypes.c_void_p(self.library.loyalty_client_new(ctypes.byref(self.options), ctypes.byref(error)))
        if not self.pointer:
            raise Failed(error, {})

    def close(self):
        self.library.loyalty_client_destroy(ctypes.byref(self.pointer))

    def _request(self, method, body, key=None, timeout=None, affinity=0, traceparent=None):
        packed = msgpack.packb(body or {})
        return Request(
            method.encode(),
            packed,
            len(packed),
            key.encode() if key is not None else None,
            int(timeout * 1000) if timeout else 0,
            affinity,
            traceparent.encode() if traceparent else None,
        )

    def _take(self, reply):
        result = msgpack.unpackb(ctypes.string_at(reply.result, reply.result_size)) if reply.ok else None
        details = {}
        if reply.details_size:
            details = msgpack.unpackb(ctypes.string_at(reply.details, reply.details_size))
        failed = Failed(reply.error, details)
        is_ok = reply.ok
        self.library.loyalty_reply_free(ctypes.byref(reply))
        if not is_ok:
            raise failed
        return result

    def call(self, method, body=None, **options):
        reply = Reply()
        request = self._request(method, body, **options)
        self.library.loyalty_call(self.pointer, ctypes.byref(request), ctypes.byref(reply))
        return self._take(reply)

    def submit(self, method, body=None, **options):
        error = Error()
        request = self._request(method, body, **options)
        handle = self.library.loyalty_submit(
            self.pointer, ctypes.byref(request), None, None, ctypes.byref(error)
        )
        if not handle:
            raise Failed(error, {})
        return handle

    def next_outcome(self, timeout):
        """(handle, result or exception) of the next that got done; None: none in that time."""
        reply = Reply()
        if not self.library.loyalty_next(self.pointer, ctypes.c_int(int(timeout * 1000)), ctypes.byref(reply)):
            return None
        handle = reply.handle
        try:
            return handle, self._take(reply)
        except Failed as error:
            return handle, error

    @property
    def stats(self):
        stats = Stats()
        self.library.loyalty_client_stats(self.pointer, ctypes.byref(stats))
        return {name: getattr(stats, name) for name, _ in Stats._fields_}

    def events(self, after=None, topics=(), feeds=(), silence=2.0, feed_key=None):
        return Events(self, after, topics, feeds, silence, feed_key)


class Events:
    """A subscription of the library, with a client's options."""

    def __init__(self, client, after, topics, feeds, silence, feed_key):
        self.library = client.library
        feeds = [feeds] if isinstance(feeds, str) else list(feeds)
        options = EventsOptions(
            after=self._number(after),
            feeds=texts(feeds),
            feed_count=len(feeds),
            topics=texts(topics),
            topic_count=len(topics),
            silence_ms=int(silence * 1000),
            feed_key=feed_key,
        )
        error = Error()
        pointer = self.library.loyalty_events_new(
            ctypes.byref(client.options), ctypes.byref(options), ctypes.byref(error)
        )
        self.pointer = ctypes.c_void_p(pointer)
        self.trouble = None
        if not self.pointer:
            raise Failed(error, {})

    @staticmethod
    def _number(after):
        return -1 if after is None else after

    def close(self):
        self.library.loyalty_events_destroy(ctypes.byref(self.pointer))

    def next(self, timeout=None):
        """The next event, a dict, as the Python client gives it; None: none in that time."""
        event, error = Event(), Error()
        milliseconds = ctypes.c_int(-1 if timeout is None else int(timeout * 1000))
        result = self.library.loyalty_events_next(
            self.pointer, milliseconds, ctypes.byref(event), ctypes.byref(error)
        )
        failed = Failed(error, {}) if error.code else None
        if result < 0:
            raise failed
        self.trouble = failed
        if result == 0:
            return None
        fields = msgpack.unpackb(ctypes.string_at(event.body, event.body_size))
        assert (fields["number"], fields["topic"]) == (event.number, event.topic.decode())
        return fields

    def resume(self, after):
        self.library.loyalty_events_resume(self.pointer, ctypes.c_int64(self._number(after)))

    def _figure(self, name):
        return getattr(self.library, f"loyalty_events_{name}")(self.pointer)

    @property
    def position(self):
        position = self._figure("position")
        return None if position < 0 else position

    @property
    def newest(self):
        return self._figure("newest")

    @property
    def oldest(self):
        return self._figure("oldest") or None

    @property
    def stats(self):
        stats = EventsStats()
        self.library.loyalty_events_stats(self.pointer, ctypes.byref(stats))
        return {name: getattr(stats, name) for name, _ in EventsStats._fields_}
