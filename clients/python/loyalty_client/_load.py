"""A load cut into parts that the protocol's limits allow."""

from ._tables import LIMITS, LOAD_LISTS, InvalidRequest, TooLarge
from ._wire import encode_body

PART_BYTES = LIMITS["body_bytes_max"] - 64 * 1024  # room for the names around the records


def cut_parts(lists):
    """Yields dicts of lists, in the order of `lists`, none over the limits of ``load.put``."""
    part, size = {}, 0
    for name, records in lists.items():
        for record in records:
            if not isinstance(record, dict):
                raise InvalidRequest(f"{name}: each has to be a dict, not a {type(record).__name__}")
            record_size = len(encode_body(record))
            if record_size > PART_BYTES:
                raise TooLarge(f"{name}: one record has {record_size} bytes")
            if size + record_size > PART_BYTES or len(part.get(name, ())) == LOAD_LISTS[name]:
                yield part
                part, size = {}, 0
            part.setdefault(name, []).append(record)
            size += record_size
    if part:
        yield part


def load_steps(lists, note=None):
    """A generator of (method, body) that takes each one's result; returns that of ``load.commit``. All parts are
    encoded before the first is sent, so that a mistake in the last leaves no load open."""
    parts = list(cut_parts(lists))
    opened = yield "load.begin", {} if note is None else {"note": note}
    for number, part in enumerate(parts, 1):
        yield "load.put", dict(part, load_id=opened["load_id"], part=number)
    return (yield "load.commit", {"load_id": opened["load_id"], "parts": len(parts)})
