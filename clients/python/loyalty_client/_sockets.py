"""ZeroMQ contexts and sockets, made anew in every process that needs them."""

import os
import threading

import zmq

from ._keys import HandshakeWatch, with_server

HEARTBEAT_MS = 1000
HEARTBEAT_TIMEOUT_MS = 3000
REPLY_BYTES_MAX = 1024 * 1024 + 64 * 1024
SUBSCRIBER_QUEUE_MAX = 1000  # messages

_lock = threading.Lock()
_contexts = {}  # (process id, class) -> context
_graveyard = []


def _after_fork():
    """In a child the parent's contexts are dead: their I/O threads were not copied. They are kept out of sight and
    never closed, as closing them would talk to sockets that are the parent's. The lock may have been held."""
    global _lock, _contexts
    _lock = threading.Lock()
    _graveyard.append(_contexts)
    _contexts = {}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def context(kind=zmq.Context):
    """This process's context of that class, made when it is first asked for."""
    with _lock:
        name = (os.getpid(), kind)
        if name not in _contexts:
            _contexts[name] = kind()
        return _contexts[name]


def open_socket(settings, endpoint, kind=zmq.Context):
    """A fresh DEALER towards one endpoint, and the watch of its handshakes, to be closed after it. The socket has no routing id, as a broker would take two sockets with one id
    for the same client; and no queue while there is no connection, so that "not writable" means "not connected"."""
    socket = context(kind).socket(zmq.DEALER)
    watch = None
    try:
        watch = HandshakeWatch(socket)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.IMMEDIATE, 1),
            (zmq.SNDHWM, 0),
            (zmq.RCVHWM, 0),
            (zmq.HEARTBEAT_IVL, HEARTBEAT_MS),
            (zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS),
            (zmq.MAXMSGSIZE, REPLY_BYTES_MAX),
        ):
            socket.setsockopt(option, value)
        set_keys(socket, settings.keys)
        socket.connect(endpoint)
    except Exception:
        socket.close(linger=0)
        if watch is not None:
            watch.close()
        raise
    return socket, watch


def open_subscriber(settings, feeds, feed_key=None, kind=zmq.Context):
    """A SUB socket that hears every feed. What waits in it is bounded: beyond that the feeds drop, and the subscriber
    reads what it missed. It takes all topics, as one who takes only some could not see that numbers are missing."""
    socket = context(kind).socket(zmq.SUB)
    try:
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.RCVHWM, SUBSCRIBER_QUEUE_MAX),
            (zmq.HEARTBEAT_IVL, HEARTBEAT_MS),
            (zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS),
            (zmq.MAXMSGSIZE, REPLY_BYTES_MAX),
            (zmq.RECONNECT_IVL, 50),
            (zmq.RECONNECT_IVL_MAX, 2000),
            (zmq.SUBSCRIBE, b""),
        ):
            socket.setsockopt(option, value)
        set_keys(socket, settings.keys if feed_key is None else with_server(settings.keys, feed_key))
        for feed in feeds:
            socket.connect(feed)
    except Exception:
        socket.close(linger=0)
        raise
    return socket


def set_keys(socket, keys):
    """Makes a socket that is to connect speak CURVE, where there are keys."""
    if keys is None:
        return
    socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
