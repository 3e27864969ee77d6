"""Rule 35: orders that come late, by the catalog and the lots of their date, and orders that were paid for already."""

import datetime

import pytest

from harness import Engine
from shop import loyalty_program, new_partner, order, promotion, refused, told, written

UTC = datetime.timezone.utc
PROMOTION = 70


@pytest.fixture(scope="module", params=[1, 8], ids=["buckets=1", "buckets=8"])
def shop(request):
    """A shop that took 10 % off until an hour ago, and has taken 20 % off since; the versions before are of long ago."""
    with Engine(buckets=request.param) as engine:
        engine.call("reference.put", {"products": [{"product_id": 1}]})
        engine.call("program.put", loyalty_program())
        engine.call("program.put", promotion(PROMOTION, "10"))
        engine.query("UPDATE catalog_versions SET created_at = created_at - interval '20 days' WHERE version > 1")
        engine.call("program.put", promotion(PROMOTION, "20"))
        engine.query(
            "UPDATE catalog_versions SET created_at = created_at - interval '1 hour' WHERE version = (SELECT version FROM catalog_state)"
        )
        yield engine
        engine.assert_ledger_holds()


def ago(**time):
    return (datetime.datetime.now(UTC) - datetime.timedelta(**time)).isoformat()


def differences(reply):
    return [warning["text"] for warning in reply["warnings"] if warning["kind"] == "difference"]


def alerts(shop):
    return told(shop, 10)


def test_rule_35_a_late_order_is_priced_by_the_catalog_of_its_date(shop):
    current = shop.call("order.process", order(new_partner()))
    assert (current["late"], current["amount_total"]) == (False, "8.00")
    late = shop.call("order.process", order(new_partner(), date=ago(hours=2)))
    assert (late["late"], late["amount_total"], late["points_earned"]) == (True, "9.00", "9.00")
    assert late["catalog_version"] < current["catalog_version"]
    after = shop.call("order.process", order(new_partner(), date=ago(minutes=30)))
    assert (after["late"], after["amount_total"]) == (True, "8.00")


def test_rule_35_many_versions_are_kept_in_turn(shop):
    """More versions than a worker keeps at once, each asked for twice."""
    for _ in range(2):
        for days in range(1, 7):
            assert shop.call("order.process", order(new_partner(), date=ago(days=days)))["amount_total"] == "9.00"
            assert shop.call("order.process", order(new_partner()))["amount_total"] == "8.00"


def test_rule_35_a_late_order_is_not_refused_for_its_price(shop):
    before = alerts(shop)
    late = shop.call("order.process", order(new_partner(), date=ago(hours=2), expected_total="8.00"))
    assert (late["amount_total"], differences(late)) == ("9.00", ["amount_total: expected 8.00, evaluated 9.00"])
    assert alerts(shop) == before + 1
    late = shop.call("order.process", order(new_partner(), date=ago(hours=2), expected_total="9.00"))
    assert differences(late) == [] and alerts(shop) == before + 1


def test_rule_35_lots_of_its_date_pay_for_a_late_order(shop):
    partner = new_partner()
    shop.call("order.process", order(partner, date=ago(hours=6)))  # earns 9.00
    claim = [{"program_id": 1, "reward_id": 1}]
    late = shop.call("order.process", order(partner, date=ago(hours=5), claims=claim))
    assert late["claims"][0]["ok"] and late["late"] is True
    assert shop.call("order.get", {"order_id": late["order_id"]}) == late


def test_rule_35_more_than_seven_days_late_only_as_history(shop):
    before = written(shop)
    with refused("invalid_request", path="date"):
        shop.call("order.process", order(new_partner(), date=ago(days=8)))
    assert written(shop) == before
    assert shop.call("order.process", order(new_partner(), date=ago(days=8), **{"import": True}))["late"] is False


def test_rule_35_replayed_with_its_warnings(shop):
    body = order(new_partner(), date=ago(hours=2), expected_total="1.00")
    first = shop.call("order.process", body)
    assert differences(first)
    again = shop.call("order.process", body)
    assert again == dict(first, replayed=True)
