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
    ]


class Error(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_int),
        ("name", ctypes.c_char * 32),
        ("message", ctypes.c_char * 256),
        ("retryable", ctypes.c_bool),
        ("outcome_unknown", ctypes.c_bool),
        ("retry_after_ms", ctypes.c_int64),
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
        for name in ("submitted", "sent", "resent", "succeeded", "failed", "late", "garbage", "connects", "connected")
    ]


class Failed(Exception):
    """What the library answered with: code, details and so on as the Python client's exceptions have them."""

    def __init__(self, error, details):
        super().__init__(error.message.decode())
        self.code = error.name.decode()
        self.details = details
        self.retryable = error.retryable
        self.outcome_unknown = error.outcome_unknown


def load_library():
    library = ctypes.CDLL(str(library_path()))
    library.loyalty_client_new.restype = ctypes.c_void_p
    library.loyalty_submit.restype = ctypes.c_uint64
    library.loyalty_affinity.restype = ctypes.c_uint64
    return library


class Client:
    """One client of the library."""

    def __init__(self, endpoints, timeout=5.0, silence=2.0, connect_timeout=0.5, backoff=(0.02, 1.0), in_flight=1024):
        self.library = load_library()
        options = Options()
        self.library.loyalty_options_init(ctypes.byref(options))
        endpoints = [endpoints] if isinstance(endpoints, str) else endpoints
        array = (ctypes.c_char_p * len(endpoints))(*[endpoint.encode() for endpoint in endpoints])
        options.endpoints = array
        options.endpoint_count = len(endpoints)
        options.timeout_ms = int(timeout * 1000)
        options.silence_ms = int(silence * 1000)
        options.connect_ms = int(connect_timeout * 1000)
        options.backoff_min_ms, options.backoff_max_ms = (int(seconds * 1000) for seconds in backoff)
        options.in_flight_max = in_flight
        error = Error()
        self.pointer = ctypes.c_void_p(self.library.loyalty_client_new(ctypes.byref(options), ctypes.byref(error)))
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
