"""Frames as bytes: values to MessagePack, headers, replies, the affinity hint. Nothing here knows a socket."""

import datetime
import decimal
import enum
import uuid

import msgpack

from ._base import LoyaltyError
from ._tables import ERRORS_BY_CODE, LIMITS, METHODS, PROTOCOL_VERSION, Internal, InvalidRequest, TooLarge

FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
MASK_64 = 0xFFFFFFFFFFFFFFFF


def fnv1a64(data):
    """FNV-1a, 64 bits, of bytes."""
    number = FNV_OFFSET
    for byte in data:
        number = ((number ^ byte) * FNV_PRIME) & MASK_64
    return number


def _is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _card_code(body):
    """The code by which a body names a card: its own, or that of the first card it presents."""
    code = body.get("code")
    cards = body.get("cards")
    if not isinstance(code, str) and isinstance(cards, (list, tuple)) and cards:
        code = cards[0].get("code") if isinstance(cards[0], dict) else cards[0]
    return code if isinstance(code, str) else None


def affinity(body):
    """The affinity of a body: FNV-1a 64 of ``partner_id`` as eight bytes, little-endian; else of the card's code;
    else of ``order_id``; 0 when it has none of these."""
    partner_id = body.get("partner_id")
    if _is_integer(partner_id) and -(1 << 63) <= partner_id < 1 << 63:
        return fnv1a64(partner_id.to_bytes(8, "little", signed=True))
    code = _card_code(body)
    if code is not None:
        return fnv1a64(code.encode())
    order_id = body.get("order_id")
    if isinstance(order_id, str) or _is_integer(order_id):
        return fnv1a64(str(order_id).encode())
    return 0


def _default(value):
    """What MessagePack has no type for, as the protocol wants it."""
    if isinstance(value, decimal.Decimal):
        if not value.is_finite():
            raise InvalidRequest(f"{value} is no decimal that can be sent")
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        return value.isoformat()  # with its offset where it is aware; else the store's local time
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, datetime.time):
        return value.strftime("%H:%M")
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise InvalidRequest(f"a {type(value).__name__} cannot be sent")


def encode_body(body):
    """The bytes of a request's body: a dict, or bytes that are MessagePack already."""
    if isinstance(body, (bytes, bytearray)):
        data = bytes(body)
    else:
        try:
            data = msgpack.packb(body or {}, default=_default, use_bin_type=True)
        except (OverflowError, ValueError, TypeError, UnicodeEncodeError) as error:
            raise InvalidRequest(f"the body cannot be encoded: {error}") from error
    if len(data) > LIMITS["body_bytes_max"]:
        raise TooLarge(f"the body has {len(data)} bytes, over {LIMITS['body_bytes_max']}")
    return data


class Request:
    """One request over all its attempts: encoded once, but for the time that is left."""

    def __init__(self, method, body=None, key=None, affinity_hint=None, traceparent=None):
        self.method = method
        self.body = encode_body(body)
        self.key = str(key) if key is not None else self._new_key(method)
        if self.key is not None and not 1 <= len(self.key.encode()) <= LIMITS["name_bytes_max"]:
            raise InvalidRequest(f"key: 1 to {LIMITS['name_bytes_max']} bytes")
        if affinity_hint is None and isinstance(body, dict):
            affinity_hint = affinity(body)
        self.affinity = affinity_hint or 0
        self.traceparent = traceparent

    @staticmethod
    def _new_key(method):
        """A key where the method needs one, and for methods that this version does not know."""
        known = METHODS.get(method)
        return str(uuid.uuid4()) if known is None or known["scope"] == "op" else None

    def header(self, request_id, ttl_ms):
        """The header frame of one attempt."""
        header = {"v": PROTOCOL_VERSION, "id": request_id, "method": self.method}
        if self.key is not None:
            header["key"] = self.key
        header["ttl_ms"] = max(1, min(int(ttl_ms), LIMITS["ttl_max_ms"]))
        if self.affinity:
            header["affinity"] = self.affinity
        if self.traceparent:
            header["traceparent"] = self.traceparent
        return msgpack.packb(header)


PING_ID = 0  # requests have ids from 1
PING = (msgpack.packb({"v": PROTOCOL_VERSION, "id": PING_ID, "method": "admin.ping"}), b"\x80")


def _unpack(data):
    return msgpack.unpackb(data, raw=False, strict_map_key=False)


def reply_id(frames):
    """The id of the request that a message answers; None: the message is no reply."""
    if len(frames) != 2:
        return None
    try:
        header = _unpack(frames[0])
    except Exception:  # msgpack raises a dozen kinds on bytes that are none of its own
        return None
    if not isinstance(header, dict) or header.get("v") != PROTOCOL_VERSION or not _is_integer(header.get("id")):
        return None
    return header["id"]


def _not_a_reply(why):
    return Internal(f"the answer is not a reply: {why}", outcome_unknown=True)


def error_of(fields):
    """The exception for the ``error`` of a reply."""
    code, message, details = (fields.get(name) for name in ("code", "message", "details"))
    if not isinstance(code, str) or not isinstance(message, str):
        return _not_a_reply("its error has no code and message")
    kind = ERRORS_BY_CODE.get(code, LoyaltyError)
    retryable = fields.get("retryable")
    return kind(
        message,
        details=details if isinstance(details, dict) else {},
        retryable=retryable if isinstance(retryable, bool) else None,
        code=code,
    )


def decode_reply(data):
    """The result of a reply's body; raises what it failed with."""
    try:
        reply = _unpack(data)
    except Exception as error:
        raise _not_a_reply("it is not MessagePack") from error
    if not isinstance(reply, dict) or not isinstance(reply.get("ok"), bool):
        raise _not_a_reply("it has no `ok`")
    if reply["ok"]:
        if not isinstance(reply.get("result"), dict):
            raise _not_a_reply("its result is no map")
        return reply["result"]
    if not isinstance(reply.get("error"), dict):
        raise _not_a_reply("it has no error")
    raise error_of(reply["error"])
