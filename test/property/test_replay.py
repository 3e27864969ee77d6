"""A shop's orders replayed into two engines in different ways: the same ledger, row by row, and nothing happens twice.

The sample of docs/examples/online-retail always; a larger file of orders where LOYALTY_ORDERS names one.
"""

import os

import pytest

from replay import ledger, twice
from replay.history import SAMPLE, History


def silent(*_):
    pass


def check(history):
    found, both = twice.compare(history, silent)
    assert not found, "\n".join(found)
    return both[0].ledger


def test_a_sample_of_orders_ends_in_the_same_ledger():
    rows = check(History(SAMPLE))
    assert len(rows["orders"]) == 299 and len(rows["journal"]) > 350 and rows["transfers"] and rows["refunds"]


@pytest.mark.skipif("LOYALTY_ORDERS" not in os.environ, reason="LOYALTY_ORDERS names no file of orders (JSON lines, perhaps .xz)")
def test_a_file_of_orders_ends_in_the_same_ledger():
    check(History(os.environ["LOYALTY_ORDERS"]))


def test_the_comparison_finds_what_differs():
    one = {table: ["a", "b"] for table in ledger.QUERIES}
    assert ledger.differences(one, dict(one)) == []
    for table in ledger.QUERIES:
        assert ledger.differences(one, dict(one, **{table: ["a", "c"]})) == [
            f"{table}: 2 rows and 2; 2 that only one has", "  first:  b", "  second: c"]  # fmt: skip
        assert ledger.differences(one, dict(one, **{table: ["a", "b", "b"]}))
