"""Input that is malformed, hostile, or out of bounds, as frames on a socket: each gets a clear error, nothing is changed, and
the engine goes on as before."""

import random
import struct

import msgpack
import pytest

from harness import Engine
from raw_client import RawClient, error_of, result_of
from shop import line, loyalty_program, new_partner, order, promotion, written

MIB = 1 << 20


@pytest.fixture(scope="module")
def engine():
    """One with eight buckets, which has all that one with a single bucket has to go wrong."""
    with Engine(buckets=8) as engine:
        yield engine


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": 1}]})
    engine.call("program.put", loyalty_program())
    return engine


@pytest.fixture(scope="module", autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


@pytest.fixture
def raw(shop):
    """A client whose bad requests must change nothing, and leave the engine as healthy as it was."""
    before = written(shop)
    processes = shop.processes()
    with RawClient(shop.endpoint) as client:
        yield client
        assert result_of(client.call("admin.health"))["status"] == "ok"
        assert result_of(client.call("order.quote", order(None)))["amount_total"] == "10.00"
    assert written(shop) == before
    assert shop.processes() == processes, "a process died"


def refused(raw, method, body, code, path=None, **header):
    """Sends it and checks the error; returns that."""
    error = error_of(raw.call(method, body, **header))
    assert error["code"] == code and (path is None or error["details"].get("path") == path), error
    assert error["retryable"] is False
    return error


def nested(depth, inner=b"\xc0", level=b"\x91\x81\xa1a"):
    """A value within so many arrays and maps."""
    whole, part = divmod(depth, 2)
    return level * whole + b"\x91" * part + inner


# Bodies that are no MessagePack, or lie about what they hold


WHOLE = msgpack.packb(order(77, line(1, 2, "12.50", taxes=[{"id": 1, "amount": "20"}]), order_id="CUT", meta={"a": [1, 2.5]}))


def test_a_body_cut_anywhere(raw):
    for size in range(len(WHOLE)):
        refused(raw, "order.process", WHOLE[:size], "invalid_request")


def test_a_body_with_something_behind_it(raw):
    for tail in (b"\x00", b"\xc0", WHOLE, b"\xc1"):
        refused(raw, "order.process", WHOLE + tail, "invalid_request")


def test_a_body_with_any_byte_changed(raw):
    """Nothing breaks; most are refused, and quotes write nothing in any case."""
    random_bytes = random.Random(1)
    ids = []
    for at in range(len(WHOLE)):
        for _ in range(3):
            damaged = WHOLE[:at] + bytes([random_bytes.randrange(256)]) + WHOLE[at + 1 :]
            ids.append(raw.send("order.quote", damaged))
        for reply in raw.answers(ids[-3:]):
            assert reply["ok"] or error_of(reply)["code"] in ("invalid_request", "too_large", "not_found"), reply


def test_random_bytes(raw):
    random_bytes = random.Random(2)
    for size in (0, 1, 2, 3, 5, 8, 100, 5000):
        for _ in range(10):
            body = bytes(random_bytes.randrange(256) for _ in range(size))
            refused(raw, "order.process", body, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa5lines\xdd\xff\xff\xff\xff",
        b"\x81\xa5lines\xdd\x00\x0f\xff\xff" + b"\x80" * 1000,
        b"\x81\xa8order_id\xdb\xff\xff\xff\xff",
        b"\x81\xa8order_id\xc6\x7f\xff\xff\xff",
        b"\x81\xa4meta\xc9\xff\xff\xff\xff\x01",
        b"\xde\xff\xff" + b"\xa1a\xc0" * 100,
        b"\xc1",
        b"\x81\xa5lines\xc1",
    ],
    ids=["map", "array", "records", "text", "bytes", "extension", "pairs", "reserved", "reserved within"],
)
def test_length_bombs(raw, body):
    refused(raw, "order.process", body, "invalid_request")


@pytest.mark.parametrize("body", [b"\xc0", b"\x90", b"\x93\x01\x02\x03", b"\xa4text", b"\x07", b"\xcb" + struct.pack(">d", 1.5), b"\xc3"])
def test_a_body_that_is_no_map(raw, body):
    refused(raw, "order.process", body, "invalid_request")


@pytest.mark.parametrize("depth", [8, 9, 40, 100_000, 500_000])
def test_depth(raw, depth):
    body = b"\x83" + msgpack.packb("order_id") + msgpack.packb("D") + msgpack.packb("lines")
    body += msgpack.packb([line()]) + msgpack.packb("meta")
    refused(raw, "order.process", body + nested(depth), "invalid_request", "meta")
    refused(raw, "order.process", b"\x81\xa5lines" + nested(depth), "invalid_request")
    refused(raw, "order.process", b"\x91" * depth + b"\xc0", "invalid_request")


def test_depth_that_is_just_allowed(shop):
    body = order(None, meta={"a": [[[[[[1]]]]]]})
    with RawClient(shop.endpoint) as raw:
        assert result_of(raw.call("order.quote", body))["meta"] == body["meta"]


# Sizes


def test_sizes(raw):
    large = order(None, meta="x" * (MIB - 100))
    refused(raw, "order.process", large, "too_large", "meta")
    refused(raw, "order.process", dict(large, meta="x" * MIB), "too_large")
    refused(raw, "order.process", order(None, meta="x" * 1025), "too_large", "meta")
    refused(raw, "order.process", order(None, *[line()] * 1001), "too_large", "lines")
    refused(raw, "order.process", order(None, claims=[{"program_id": 1}] * 51), "too_large", "claims")
    refused(raw, "order.process", order(None, cards=[1] * 21), "too_large", "cards")
    refused(raw, "order.process", order(None, line(taxes=[{"id": 1, "amount": 1}] * 17)), "too_large", "lines[0].taxes")
    for order_id in ("x" * 65, "é" * 33):
        refused(raw, "order.process", order(None, order_id=order_id), "invalid_request", "order_id")
    refused(raw, "order.process", order(None, reference="x" * 65), "invalid_request", "reference")


def test_a_frame_far_over_the_limit_ends_the_connection_and_nothing_else(shop, raw):
    with RawClient(shop.endpoint) as other:
        other.call("admin.stats")
        other.send("order.process", b"\x00" * (2 * MIB))
        assert other.receive(1) is None


# Fields


@pytest.mark.parametrize(
    "path, fields",
    [
        ("order_id", {"order_id": None}),
        ("order_id", {"order_id": ""}),
        ("order_id", {"order_id": 1.5}),
        ("order_id", {"order_id": ["x"]}),
        ("order_id", {"order_id": "a\0b"}),
        ("order_id", {"order_id": b"bytes"}),
        ("lines", {"lines": None}),
        ("lines", {"lines": []}),
        ("lines", {"lines": {}}),
        ("lines", {"lines": "none"}),
        ("lines[0]", {"lines": [None]}),
        ("lines[0]", {"lines": [[]]}),
        ("lines[1]", {"lines": [line(), 7]}),
        ("lines[0].product_id", {"lines": [{"qty": 1, "price_unit": 1}]}),
        ("lines[0].product_id", {"lines": [line("1")]}),
        ("lines[0].product_id", {"lines": [line(1.0)]}),
        ("lines[0].product_id", {"lines": [line(2**63)]}),
        ("lines[0].product_id", {"lines": [line(True)]}),
        ("lines[0].qty", {"lines": [line(1, None)]}),
        ("lines[0].qty", {"lines": [line(1, "one")]}),
        ("lines[0].qty", {"lines": [line(1, "")]}),
        ("lines[0].qty", {"lines": [line(1, "1,5")]}),
        ("lines[0].qty", {"lines": [line(1, " 1")]}),
        ("lines[0].qty", {"lines": [line(1, "1e400")]}),
        ("lines[0].qty", {"lines": [line(1, "0x10")]}),
        ("lines[0].qty", {"lines": [line(1, "0.0000001")]}),
        ("lines[0].qty", {"lines": [line(1, 1e-7)]}),
        ("lines[0].qty", {"lines": [line(1, "NaN")]}),
        ("lines[0].qty", {"lines": [line(1, float("nan"))]}),
        ("lines[0].qty", {"lines": [line(1, float("inf"))]}),
        ("lines[0].qty", {"lines": [line(1, float("-inf"))]}),
        ("lines[0].qty", {"lines": [line(1, 1e308)]}),
        ("lines[0].qty", {"lines": [line(1, "1" + "0" * 400)]}),
        ("lines[0].qty", {"lines": [line(1, 10**9 + 1)]}),
        ("lines[0].qty", {"lines": [line(1, -(10**9) - 1)]}),
        ("lines[0].qty", {"lines": [line(1, 2**64 - 1)]}),
        ("lines[0].qty", {"lines": [line(1, True)]}),
        ("lines[0].qty", {"lines": [line(1, "99999999999999999999999999")]}),
        ("lines[0].price_unit", {"lines": [line(1, 1, "-1000000000.000001")]}),
        ("lines[0].price_unit", {"lines": [line(1, 1, ["1"])]}),
        ("lines[0].discount", {"lines": [line(discount="100.000001")]}),
        ("lines[0].discount", {"lines": [line(discount=-1)]}),
        ("lines[0].taxes[0].amount", {"lines": [line(taxes=[{"id": 1}])]}),
        ("lines[0].taxes[0].amount", {"lines": [line(taxes=[{"id": 1, "amount": "-1"}])]}),
        ("lines[0].taxes[1].amount_type", {"lines": [line(taxes=[{"id": 1, "amount": 1}, {"id": 1, "amount": 1, "amount_type": "gift"}])]}),
        ("lines[0].taxes[0].included", {"lines": [line(taxes=[{"id": 1, "amount": 1, "included": 1}])]}),
        ("lines[0].refund_of.order_id", {"lines": [line(refund_of={})]}),
        ("lines[0].colour", {"lines": [line(colour="red")]}),
        ("colour", {"colour": "red"}),
        ("partner_id", {"partner_id": "42"}),
        ("partner_id", {"partner_id": 42.0}),
        ("partner_id", {"partner_id": 2**64 - 1}),
        ("date", {"date": "yesterday"}),
        ("date", {"date": "2026-02-30T00:00:00Z"}),
        ("date", {"date": "2026-01-01T25:00:00Z"}),
        ("date", {"date": "2026-01-01T00:00:00+99:00"}),
        ("date", {"date": "2026-01-01T00:00:00.1234567Z"}),
        ("date", {"date": 1700000000}),
        ("channel", {"channel": "fax"}),
        ("channel", {"channel": 0}),
        ("tax_rounding", {"tax_rounding": "never"}),
        ("on_refused", {"on_refused": ""}),
        ("currency", {"currency": "EURO"}),
        ("expected_total", {"expected_total": "1.001"}),
        ("auto_claim", {"auto_claim": "yes"}),
        ("claims[0].points", {"claims": [{"program_id": 1, "points": "0.001"}]}),
        ("claims[0].points", {"claims": [{"program_id": 1, "points": "0"}]}),
        ("claims[0].points", {"claims": [{"program_id": 1, "points": -5}]}),
        ("cards[0]", {"cards": [1.5]}),
        ("cards[0]", {"cards": [""]}),
        ("cards[0]", {"cards": [0]}),
        ("meta", {"meta": float("nan")}),
        ("meta", {"meta": {"a": b"bytes"}}),
        ("meta", {"meta": {1: 2}}),
        ("meta", {"meta": "a\0b"}),
        ("meta", {"meta": msgpack.Timestamp(1, 0)}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_fields_name_themselves(raw, path, fields):
    error = error_of(raw.call("order.process", dict(order(new_partner()), **fields)))
    assert error["code"] in ("invalid_request", "too_large"), error
    assert error["details"].get("path") == path, error
    assert path in error["message"]


def pairs(*items):
    """A map with these pairs of bytes, which may be no map that msgpack would write."""
    return bytes([0x80 + len(items)]) + b"".join(msgpack.packb(key) + value for key, value in items)


LINES = msgpack.packb([line()])


@pytest.mark.parametrize(
    "path, body",
    [
        ("order_id", pairs(("order_id", b"\xa1a"), ("order_id", b"\xa1b"), ("lines", LINES))),
        ("order_id", pairs(("order_id", b"\xa1a"), ("order_id", b"\xa1a"), ("lines", LINES))),
        ("lines", pairs(("order_id", b"\xa1a"), ("lines", LINES), ("lines", LINES))),
        ("order_id", pairs(("order_id", b"\xa2\xff\xfe"), ("lines", LINES))),
        ("order_id", pairs(("order_id", b"\xa3\xed\xa0\x80"), ("lines", LINES))),  # a surrogate
        ("order_id", pairs(("order_id", b"\xa2\xc0\xaf"), ("lines", LINES))),  # overlong
        ("reference", pairs(("order_id", b"\xa1a"), ("lines", LINES), ("reference", b"\xa1\x80"))),
        ("meta", pairs(("order_id", b"\xa1a"), ("lines", LINES), ("meta", b"\xa1\xff"))),
        ("meta", pairs(("order_id", b"\xa1a"), ("lines", LINES), ("meta", b"\x82\xa1a\x01\xa1a\x02"))),
        ("lines[0].qty", pairs(("order_id", b"\xa1a"), ("lines", b"\x91" + pairs(
            ("product_id", b"\x01"), ("qty", b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), ("price_unit", b"\x01"))))),
        ("lines[0].qty", pairs(("order_id", b"\xa1a"), ("lines", b"\x91" + pairs(
            ("product_id", b"\x01"), ("qty", b"\xca\x7f\x80\x00\x00"), ("price_unit", b"\x01"))))),
        ("lines[0].qty", pairs(("order_id", b"\xa1a"), ("lines", b"\x91" + pairs(
            ("product_id", b"\x01"), ("qty", b"\xd4\x01\x00"), ("price_unit", b"\x01"))))),
    ],
)  # fmt: skip
def test_bytes_that_no_library_would_write(raw, path, body):
    refused(raw, "order.process", body, "invalid_request", path)


@pytest.mark.parametrize("body", [pairs((1, b"\x01")), pairs((b"order_id", b"\xa1a"), ("lines", LINES)), pairs((None, b"\x01")), pairs((b"\xff", b"\x01"))])
def test_keys_of_maps_that_are_no_text(raw, body):
    refused(raw, "order.process", body, "invalid_request")


def test_null_is_absent(raw):
    quoted = result_of(raw.call("order.quote", dict(order(None), partner_id=None, claims=None, meta=None, date=None, cards=None)))
    assert quoted["amount_total"] == "10.00"


@pytest.mark.parametrize(
    "method, path, body",
    [
        ("card.create", "program_id", {}),
        ("card.create", "points", {"program_id": 1, "points": "-1"}),
        ("card.create", "points", {"program_id": 1, "points": "1000000000000.01"}),
        ("card.create", "points", {"program_id": 1, "points": 1e400}),
        ("card.create", "code", {"program_id": 1, "code": "   "}),
        ("card.create", "code", {"program_id": 1, "code": "x" * 65}),
        ("card.create", "expires", {"program_id": 1, "points": 1, "expires": "2001-01-01T00:00:00Z"}),
        ("card.get", "card_id", {}),
        ("card.get", "card_id", {"card_id": 1, "code": "x"}),
        ("card.get", "card_id", {"card_id": 0}),
        ("card.balance", "at", {"card_id": 1, "at": "soon"}),
        ("card.history", "limit", {"card_id": 1, "limit": 0}),
        ("card.history", "limit", {"card_id": 1, "limit": 1001}),
        ("card.adjust", "points", {"card_id": 1, "points": 0, "reason": "x"}),
        ("card.adjust", "points", {"card_id": 1, "points": "0.001", "reason": "x"}),
        ("card.adjust", "reason", {"card_id": 1, "points": 1, "reason": ""}),
        ("card.adjust", "reason", {"card_id": 1, "points": 1}),
        ("order.cancel", "order_id", {"reason": "x"}),
        ("order.cancel", "reason", {"order_id": "x", "reason": "x" * 201}),
        ("order.get", "order_id", {}),
        ("program.put", "program_type", {"program_id": 9, "name": "n"}),
        ("program.put", "program_id", {"program_id": 0, "name": "n", "program_type": "loyalty"}),
        ("program.put", "rules[0].reward_point_amount", promotion(9, 5, rules=[{"reward_point_amount": -1}])),
        ("program.put", "rewards[0].required_points", promotion(9, 5, rewards=[{"required_points": "0.001"}])),
        ("program.put", "weekdays[1]", promotion(9, 5, weekdays=["monday", "noday"])),
        ("program.get", "program_id", {"program_id": "1"}),
        ("program.list", "state", {"state": "asleep"}),
        ("reference.put", "stores[0].store_id", {"stores": [{"name": "x"}]}),
        ("reference.put", "partners[0].birthday", {"partners": [{"partner_id": 1, "birthday": "1999-02-29"}]}),
        ("reference.put", "products[0].tags", {"products": [{"product_id": 1, "tags": "red"}]}),
        ("reference.put", "programs", {"programs": []}),
        ("load.put", "load_id", {"part": 1}),
        ("load.put", "part", {"load_id": 1, "part": 0}),
        ("load.commit", "parts", {"load_id": 1, "parts": -1}),
        ("admin.health", "x", {"x": 1}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_fields_of_the_other_methods(raw, method, path, body):
    error = error_of(raw.call(method, body))
    assert error["code"] in ("invalid_request", "too_large") and error["details"].get("path") == path, error


@pytest.mark.parametrize(
    "method, body",
    [
        ("card.get", {"card_id": 2**63 - 1}),
        ("card.get", {"code": "NO-SUCH-CODE"}),
        ("card.get", {"partner_id": -99}),
        ("card.balance", {"partner_id": -99, "program_id": 1}),
        ("card.history", {"code": "'; --"}),
        ("card.adjust", {"card_id": 123456789, "points": 1, "reason": "x"}),
        ("card.create", {"program_id": 999}),
        ("program.get", {"program_id": 999}),
        ("program.get", {"program_id": 1, "catalog_version": 1}),
        ("program.delete", {"program_id": 999}),
        ("order.get", {"order_id": "NO-SUCH-ORDER"}),
        ("load.put", {"load_id": 999, "part": 1}),
        ("load.commit", {"load_id": 999, "parts": 0}),
    ],
)
def test_what_is_not_there(raw, method, body):
    refused(raw, method, body, "not_found")


# Orders that say what cannot be


@pytest.mark.parametrize(
    "path, fields",
    [
        ("lines[0].qty", {"lines": [line(1, 0)]}),
        ("lines[1].qty", {"lines": [line(1, 1), line(1, "0.000000")]}),
        ("lines[1].line_id", {"lines": [line(line_id="a"), line(line_id="a")]}),
        ("date", {"date": "1899-12-31T23:59:59Z"}),
        ("date", {"date": "1901-01-01T00:00:00Z"}),  # not as history: too late
        ("date", {"date": "2199-01-01T00:00:00Z"}),
        ("date", {"date": "2199-01-01T00:00:00Z", "import": True}),
        ("date", {"date": "2200-01-01T00:00:00Z"}),
        ("refund_of", {"order_id": "ITSELF", "refund_of": "ITSELF", "lines": [line(qty=-1)]}),
        ("claims[0].program_id", {"claims": [{}]}),
        ("claims[0].program_id", {"claims": [{"reward_id": 1}]}),
        ("claims[1].qty", {"claims": [{"program_id": 1}, {"program_id": 1, "qty": "0.5"}]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_orders_that_cannot_be(raw, path, fields):
    for method in ("order.quote", "order.process"):
        refused(raw, method, dict(order(new_partner()), **fields), "invalid_request", path)


@pytest.mark.parametrize(
    "reason, claim",
    [
        ("unknown_program", {"program_id": 999}),
        ("unknown_reward", {"program_id": 1, "reward_id": 99}),
        ("unknown_code", {"code": "NO-SUCH-CODE"}),
        ("unknown_card", {"program_id": 1, "card": 123456789}),
        ("not_enough_points", {"program_id": 1, "reward_id": 2}),
    ],
)
def test_claims_on_what_is_not_there(raw, reason, claim):
    """A quote answers, order.process refuses, and neither leaves anything."""
    body = order(new_partner(), claims=[claim])
    answer = result_of(raw.call("order.quote", body))
    assert [(one["ok"], one["reason"]) for one in answer["claims"]] == [(False, reason)] and answer["amount_total"] == "10.00"
    error = refused(raw, "order.process", body, "claim_refused")
    assert (error["details"]["reason"], error["details"]["claim"]) == (reason, "0")


def test_cards_that_are_not_there(raw):
    refused(raw, "order.process", order(None, cards=["NO-SUCH-CARD"]), "not_found", "cards[0]")
    refused(raw, "order.process", order(None, cards=[123456789]), "not_found", "cards[0]")


@pytest.fixture(scope="module")
def sold(shop):
    """An order of two of one product and one of another, named by their lines."""
    body = order(new_partner(), line(1, 2, "10.00", line_id="two"), line(2, 1, "5.00", line_id="one"))
    with RawClient(shop.endpoint) as raw:
        result_of(raw.call("order.process", body))
    return body


@pytest.mark.parametrize(
    "code, path, lines",
    [
        ("invalid_request", "lines[0].qty", [line(1, 1)]),
        ("invalid_request", "lines[0].qty", [line(1, 0)]),
        ("refund_exceeds", "lines[0].qty", [line(1, -3, refund_of={"order_id": "SOLD", "line_id": "two"})]),
        ("refund_exceeds", "lines[1].qty", [line(1, -1, refund_of={"order_id": "SOLD", "line_id": "two"}),
                                            line(1, -2, refund_of={"order_id": "SOLD", "line_id": "two"})]),
        ("not_found", "lines[0].refund_of.line_id", [line(1, -1, refund_of={"order_id": "SOLD", "line_id": "three"})]),
    ],
    ids=["a sale", "none", "more than was bought", "more in two lines", "a line that was not sold"],
)  # fmt: skip
def test_refunds_of_what_was_not_bought(raw, sold, code, path, lines):
    lines = [dict(one, refund_of=dict(one["refund_of"], order_id=sold["order_id"])) if "refund_of" in one else one for one in lines]
    refused(raw, "order.refund", order(None, *lines), code, path)


def test_rule_34_more_than_was_bought_without_a_line_is_uncovered(raw, sold):
    for lines, uncovered in (([line(1, -3)], "1"), ([line(9, -1)], "1"), ([line(1, -2), line(1, -1)], "1")):
        answer = result_of(raw.call("order.quote", order(None, *lines, refund_of=sold["order_id"])))
        assert [one["qty"] for one in answer["uncovered"]] == [uncovered]


# Headers and frames


@pytest.mark.parametrize("method", ["", "order", "order.processed", "ORDER.PROCESS", "order.process\0", "é" * 40, "sync.push", "admin.drain"])
def test_unknown_methods(raw, method):
    error = error_of(raw.call(method, order(None)))
    assert error["code"] in ("invalid_request", "forbidden"), error


@pytest.mark.parametrize("header", [{"v": 2}, {"ttl_ms": 0}, {"ttl_ms": 600001}, {"ttl_ms": -1}, {"ttl_ms": "1"}, {"affinity": -1}, {"traceparent": "x" * 56}])
def test_headers_out_of_bounds(raw, header):
    refused(raw, "order.process", order(None), "invalid_request", **header)


def test_messages_that_are_no_requests(shop):
    """Where the header can be read but names no request, the error is that of request 0; else they are dropped."""
    body = msgpack.packb({})
    readable = [{"v": 1}, {"v": 1, "id": -1, "method": "admin.health"}, {"v": 1, "id": "7", "method": "admin.health"}]
    unreadable = [b"", b"\xc1", b"\x80\x80", msgpack.packb([1]), b"x" * 1025]
    with RawClient(shop.endpoint) as raw:
        for head in unreadable + [msgpack.packb(one) for one in readable]:
            raw.send_frames(head, body)
        head = msgpack.packb({"v": 1, "id": 5000, "method": "admin.health"})
        raw.send_frames(head, body)
        while True:
            header, reply = raw.receive()
            if header["id"] == 5000:
                break
            assert header["id"] == 0 and error_of(reply)["code"] in ("invalid_request", "too_large")


def test_frames_too_few_or_too_many(raw):
    body = msgpack.packb({})
    head = msgpack.packb({"v": 1, "id": 5001, "method": "admin.health"})
    raw.send_frames(head)
    assert error_of(raw.answer(5001))["code"] == "invalid_request"
    raw.send_frames(msgpack.packb({"v": 1, "id": 5002, "method": "admin.health"}), body, b"more")
    assert error_of(raw.answer(5002))["code"] == "invalid_request"


def test_hostile_orders_between_good_ones(shop):
    """In one batch with others: they fail alone."""
    bad = [WHOLE[:-1], nested(9), b"\xc1", msgpack.packb(order(None, line(1, 10**9, 10**9))), msgpack.packb({"order_id": "X"})]
    with RawClient(shop.endpoint) as raw:
        ids, good = [], []
        for number in range(100):
            partner = new_partner()
            good.append((partner, raw.send("order.process", order(partner))))
            ids.append(raw.send("order.process", bad[number % len(bad)]))
        assert all(not reply["ok"] for reply in raw.answers(ids))
        assert all(result_of(raw.answer(one))["final_balance"] == "10.00" for _, one in good)


def test_text_that_sql_or_a_terminal_would_mind(shop):
    with RawClient(shop.endpoint) as raw:
        text = "'; DELETE FROM orders; -- \\ \" {a,b} \u202e \x1b[2J %s $1"
        card = result_of(raw.call("card.create", {"program_id": 1, "code": text[:40]}))
        result_of(raw.call("card.adjust", {"card_id": card["card_id"], "points": 1, "reason": text}))
        row = result_of(raw.call("card.history", {"card_id": card["card_id"]}))["history"][0]
        assert row["reason"] == text
        tags = [text, "{", '"', "\\", "a,b", "NULL", ""]
        error = raw.call("reference.put", {"products": [{"product_id": 901, "name": text, "tags": tags}]})
        if not error["ok"]:  # an empty tag is none
            assert error_of(error)["details"]["path"] == "products[0].tags[6]"
            result_of(raw.call("reference.put", {"products": [{"product_id": 901, "name": text, "tags": tags[:-1]}]}))
        result_of(raw.call("program.put", promotion(30, 50, rules=[{"tag": text[:60]}])))
        assert shop.query("SELECT tags[1:6] FROM products WHERE product_id = 901") == [(tags[:6],)]
        assert result_of(raw.call("program.get", {"program_id": 30}))["program"]["rules"] == [{"tag": text[:60]}]
        result_of(raw.call("program.delete", {"program_id": 30}))
