"""What the Python client puts on the wire and makes of what comes: shared vectors, values, loads, tables."""

import datetime
import decimal
import enum
import json
import pathlib
import pickle
import subprocess
import sys
import uuid

import msgpack
import pytest
from harness import BUILD, ROOT  # also puts the Python client on the path

import loyalty_client
from loyalty_client import _load, _retry, _wire

TABLES = pathlib.Path(loyalty_client.__file__).parent / "_tables.py"


def vectors(name):
    """The cases of a file of test/vectors, as pytest parameters."""
    cases = json.loads((ROOT / "test" / "vectors" / f"{name}.json").read_text())["cases"]
    assert cases
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


@vectors("affinity")
def test_affinity(case):
    assert loyalty_client.affinity(case["body"]) == int(case["affinity"])
    assert msgpack.packb(case["body"]).hex() == case["body_hex"]


@vectors("liveness")
def test_liveness(case):
    live = _retry.Liveness(0.0)
    for step in case["steps"]:
        now = step["at_ms"] / 1000
        if "heard" in step:
            live.heard(now)
            continue
        # A hair more patience than binary fractions of seconds could spoil.
        verdict = live.look(now, step["waiting"], case["patience_ms"] / 1000 - 1e-9, case["rounds"])
        assert verdict == step["look"], step


@vectors("bodies")
def test_bodies(case):
    assert _wire.encode_body(case["body"]).hex() == case["hex"]
    assert _wire._unpack(bytes.fromhex(case["hex"])) == case["body"]


@vectors("headers")
def test_headers(case):
    affinity = int(case.get("affinity", 0))
    request = _wire.Request(case["method"], {}, case.get("key"), affinity, case.get("traceparent"))
    assert request.header(int(case["id"]), case["ttl_ms"]).hex() == case["hex"]


@vectors("replies")
def test_replies(case):
    data = bytes.fromhex(case["hex"])
    if "result" in case:
        assert _wire.decode_reply(data) == case["result"]
        return
    with pytest.raises(loyalty_client.LoyaltyError) as caught:
        _wire.decode_reply(data)
    error, expected = caught.value, case["error"]
    assert error.code == expected["code"]
    assert error.message == expected.get("message", error.message)
    assert error.details == expected["details"]
    assert error.retryable == expected["retryable"]
    assert error.outcome_unknown == expected["outcome_unknown"]


class Channel(enum.Enum):
    POS = "pos"


@pytest.mark.parametrize(
    "value, sent",
    [
        (decimal.Decimal("12.50"), "12.50"),
        (decimal.Decimal("1E+3"), "1000"),
        (decimal.Decimal("1E-6"), "0.000001"),
        (decimal.Decimal("-0.5"), "-0.5"),
        (datetime.datetime(2010, 12, 16, 8, 3, tzinfo=datetime.timezone.utc), "2010-12-16T08:03:00+00:00"),
        (
            datetime.datetime(2010, 12, 16, 8, 3, 0, 250, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
            "2010-12-16T08:03:00.000250+01:00",
        ),
        (datetime.datetime(2010, 12, 16, 8, 3), "2010-12-16T08:03:00"),
        (datetime.date(2010, 12, 16), "2010-12-16"),
        (datetime.time(17, 5), "17:05"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Channel.POS, "pos"),
        ({3, 1, 2}, [1, 2, 3]),
        ((1, 2), [1, 2]),
    ],
)
def test_values_that_messagepack_has_no_type_for(value, sent):
    assert msgpack.unpackb(_wire.encode_body({"a": [value]})) == {"a": [sent]}


@pytest.mark.parametrize("value", [decimal.Decimal("NaN"), decimal.Decimal("Infinity"), object(), 1 << 64, "\ud800"])
def test_values_that_cannot_be_sent(value):
    with pytest.raises(loyalty_client.InvalidRequest):
        _wire.encode_body({"a": value})


def test_nesting_without_end_cannot_be_sent():
    body = {}
    body["a"] = body
    with pytest.raises(loyalty_client.InvalidRequest):
        _wire.encode_body(body)


def test_every_code_has_its_class():
    for code, kind in loyalty_client.ERRORS_BY_CODE.items():
        error = _wire.error_of({"code": code, "message": "no", "details": {"a": 1}, "retryable": kind.retryable})
        assert type(error) is kind and error.code == code and issubclass(kind, loyalty_client.LoyaltyError)
        assert getattr(loyalty_client, kind.__name__) is kind
        assert str(error) == f"{code}: no"


def test_errors_survive_pickling():
    error = loyalty_client.Busy("full", details={"retry_after_ms": 250}, outcome_unknown=True, key="k")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is loyalty_client.Busy
    for name in ("code", "message", "details", "retryable", "outcome_unknown", "key"):
        assert getattr(again, name) == getattr(error, name), name
    assert again.retry_after == 0.25


def test_the_tables_are_those_of_the_engine():
    """After a change of wire's tables: loyalty-schema json | clients/python/make_tables.py > .../_tables.py"""
    program = BUILD / "bin" / "loyalty-schema"
    assert program.exists(), f"{program} is not there: build it, or set LOYALTY_BUILD"
    tables = subprocess.run([str(program), "json"], stdout=subprocess.PIPE, check=True).stdout
    maker = ROOT / "clients" / "python" / "make_tables.py"
    made = subprocess.run([sys.executable, str(maker)], input=tables, stdout=subprocess.PIPE, check=True).stdout
    assert made.decode() == TABLES.read_text()


def drive(steps):
    """What a load sends, with made-up results."""
    sent, result = [], None
    try:
        while True:
            method, body = steps.send(result)
            sent.append((method, body))
            result = {"load_id": 12}
    except StopIteration as stop:
        assert stop.value == {"load_id": 12}
    return sent


def test_a_load_in_one_part():
    sent = drive(_load.load_steps({"stores": [{"store_id": 1}], "programs": [{"program_id": 2}]}, "first"))
    assert sent == [
        ("load.begin", {"note": "first"}),
        ("load.put", {"stores": [{"store_id": 1}], "programs": [{"program_id": 2}], "load_id": 12, "part": 1}),
        ("load.commit", {"load_id": 12, "parts": 1}),
    ]


def test_a_load_of_nothing():
    assert drive(_load.load_steps({"stores": []})) == [("load.begin", {}), ("load.commit", {"load_id": 12, "parts": 0})]


def test_a_load_is_cut_by_count_and_by_size():
    partners = [{"partner_id": number} for number in range(12001)]
    programs = [{"program_id": number, "name": "x" * 100_000} for number in range(25)]
    sent = drive(_load.load_steps({"partners": partners, "programs": programs}))
    puts = [body for method, body in sent if method == "load.put"]
    assert [body["part"] for body in puts] == list(range(1, len(puts) + 1))
    assert sent[-1] == ("load.commit", {"load_id": 12, "parts": len(puts)})
    assert [one for body in puts for one in body.get("partners", ())] == partners
    assert [one for body in puts for one in body.get("programs", ())] == programs
    for body in puts:
        assert len(body.get("partners", ())) <= loyalty_client.LOAD_LISTS["partners"]
        assert len(_wire.encode_body(body)) <= loyalty_client.LIMITS["body_bytes_max"]
    assert len(puts) <= 7


def test_a_mistake_in_the_last_record_is_found_before_anything_is_sent():
    for wrong in ({"name": object()}, 7):
        with pytest.raises(loyalty_client.InvalidRequest):
            next(_load.load_steps({"stores": [{"store_id": 1}], "programs": [wrong]}))
