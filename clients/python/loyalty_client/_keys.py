"""CURVE keys: the file that `loyalty keys` makes for a client, and how handshakes with them end."""

import itertools
import os
import re
import stat
import struct

import zmq

from ._tables import InvalidRequest

FIELDS = ("name", "public-key", "secret-key", "server-key")
Z85 = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
LINE = re.compile(r"""([a-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^#]*?))\s*(?:#.*)?""")

REFUSED = "it refuses this side's key: unknown or revoked there, or without a role for that port"
MISMATCH = "one side has CURVE keys, and the other has none"
BROKEN = "it broke off the handshake; with keys, the server key may be wrong"
FINAL = (REFUSED, MISMATCH)  # no other attempt with the same keys ends otherwise

MECHANISM_MISMATCH = 0x11000002
_EVENTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
_numbers = itertools.count()


class Keys:
    """A client's own keys and that of the server, in Z85 as bytes."""

    def __init__(self, server, public, secret):
        self.server, self.public, self.secret = server, public, secret

    def __repr__(self):
        return f"<Keys of {self.public.decode()}>"  # never the secret


def _key(name, value):
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    if not isinstance(text, str) or not Z85.fullmatch(text):
        raise InvalidRequest(f"{name} is not a CURVE key in Z85 (40 characters)")
    return text.encode()


def keys_of(server_key, public_key, secret_key):
    """The keys of a client that were given one by one; None: no CURVE."""
    if (public_key is None) != (secret_key is None):
        raise InvalidRequest("public_key and secret_key go together")
    if server_key is None:
        if public_key is not None:
            raise InvalidRequest("public_key is of no use without server_key")
        return None
    if public_key is None:
        public_key, secret_key = zmq.curve_keypair()
    return Keys(_key("server_key", server_key), _key("public_key", public_key), _key("secret_key", secret_key))


def with_server(keys, server_key):
    """The same keys for a server with another one; a new pair where there are none."""
    if keys is None:
        return keys_of(server_key, None, None)
    return Keys(_key("server_key", server_key), keys.public, keys.secret)


def _read(path):
    """The text of a file that is its owner's alone (a group's too, where it belongs to root)."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            status = os.fstat(file.fileno())
            denied = 0o037 if status.st_uid == 0 else 0o077
            if stat.S_IMODE(status.st_mode) & denied:
                raise InvalidRequest(f"key_file: others can read the secret in {path}: chmod 600 it, and make new keys")
            return file.read(4096)
    except OSError as error:
        raise InvalidRequest(f"key_file: cannot read {path}: {error.strerror}") from error


def load_keys(path):
    """The keys in a file that `loyalty keys` made."""
    values = {}
    for number, line in enumerate(_read(path).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = LINE.fullmatch(line.rstrip())
        if not match or match[1] not in FIELDS:
            raise InvalidRequest(f"key_file: {path}: line {number}: none of {', '.join(FIELDS)}")
        values[match[1]] = next(value for value in match.groups()[1:] if value is not None)
    if "server-key" not in values:
        raise InvalidRequest(f"key_file: {path}: it has no server-key; a server's own file is none for a client")
    names = [(name, values.get(name)) for name in ("server-key", "public-key", "secret-key")]
    return Keys(*(_key(f"key_file: {path}: {name}", value) for name, value in names))


class HandshakeWatch:
    """Learns how a socket's handshakes end, which libzmq tells only those who ask."""

    def __init__(self, socket):
        endpoint = f"inproc://loyalty-handshakes-{os.getpid()}-{next(_numbers)}"
        socket.monitor(endpoint, _EVENTS)
        # Of the plain class, also where the socket is one of asyncio.
        self.events = zmq.Socket(socket.context, zmq.PAIR)
        self.events.linger = 0
        self.events.connect(endpoint)

    def close(self):
        self.events.close(linger=0)

    def trouble(self):
        """Why the last handshake failed; None: it did not."""
        trouble = None
        while self.events.poll(0):
            event, value = struct.unpack("=HI", self.events.recv_multipart()[0])
            trouble = self._meaning(event, value)
        return trouble

    @staticmethod
    def _meaning(event, value):
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            return None
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return REFUSED
        if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL and value == MECHANISM_MISMATCH:
            return MISMATCH
        return BROKEN
