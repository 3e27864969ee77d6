"""Members spread over buckets: the same figures with one and with eight, every row where it belongs, and orders that touch the
rows of several."""

import pytest

from harness import Engine
from loyalty_client import LoyaltyError, affinity
from raw_client import at_once, result_of
from shop import TWENTY, line, loyalty_program, new_id, new_partner, order, promotion, refund

BUCKETS = 8


@pytest.fixture(scope="module")
def eight():
    with Engine(buckets=BUCKETS) as engine:
        engine.call("program.put", loyalty_program())
        yield engine
        engine.assert_ledger_holds()


def bucket_of(partner):
    return affinity({"partner_id": partner}) % BUCKETS


def partner_in(bucket):
    while True:
        partner = new_partner()
        if bucket_of(partner) == bucket:
            return partner


# The same with one bucket and with eight


def story(engine):
    """The main flows, told to an engine; everything it answered, errors too."""
    answers = []

    def tell(method, body):
        try:
            answers.append(engine.call(method, body))
        except LoyaltyError as error:
            answers.append({"code": error.code, "details": error.details})
        return answers[-1]

    tell("reference.put", {"products": [{"product_id": number} for number in range(1, 6)], "stores": [{"store_id": 1, "time_zone": "Asia/Tokyo"}]})
    tell("program.put", loyalty_program(expiry={"policy": "days", "count": 30}))
    tell("program.put", promotion(2, 10, rules=[{"minimum_amount": "40.00"}]))
    for partner in range(1, 21):
        date = f"2020-0{partner % 6 + 1}-11T09:00:00"
        history = {"date": date, "import": True, "store_id": 1}
        lines = [line(1, partner, "9.99", taxes=[TWENTY]), line(2, "0.5", "3.33")]
        tell("order.quote", order(partner, *lines, order_id=f"S-{partner}", at=date))
        tell("order.process", order(partner, *lines, order_id=f"S-{partner}", **history))
        tell("order.process", order(partner, *lines, order_id=f"S-{partner}", **history))
        tell("order.process", order(partner, order_id=f"C-{partner}", claims=[{"program_id": 1, "reward_id": 1}], **dict(history, date=date[:8] + "30T00:00:00")))
        tell("order.refund", refund(f"S-{partner}", line(1, -1, 0), order_id=f"R-{partner}", **dict(history, date=date[:8] + "21T00:00:00")))
        tell("order.refund", refund({"order_id": f"S-{partner}", "line_id": "1"}, line(2, -1, 0), order_id=f"X-{partner}"))
        tell("order.cancel", {"order_id": f"C-{partner if partner % 2 else 'none' + str(partner)}"})
        tell("card.adjust", {"partner_id": partner, "program_id": 1, "points": "-1.50", "reason": "x"})
        tell("card.adjust", {"partner_id": partner, "program_id": 1, "points": "2.50", "reason": "y"})
        tell("card.history", {"partner_id": partner, "program_id": 1})
        tell("card.get", {"partner_id": partner, "program_id": 1})
        tell("order.get", {"order_id": f"S-{partner}"})
    tell("card.create", {"program_id": 1, "code": "BEARER", "points": 500})
    for number in range(10):
        tell("order.process", order(number, order_id=f"B-{number}", claims=[{"program_id": 1, "reward_id": 2, "card": "bearer"}], on_refused="skip"))
    tell("card.balance", {"code": "BEARER"})
    tell("program.list", {})
    return answers


def same_for_all(value):
    """Without what differs from engine to engine: numbers and codes of cards, the time of day."""
    if isinstance(value, dict):
        odd = ("card_id", "code", "date", "time", "at", "gained", "usable_from", "expires", "lot", "text")
        value = {name: same_for_all(inner) for name, inner in value.items() if name not in odd}
        if "points" in value and isinstance(value["points"], list):  # by the numbers of cards
            value["points"].sort(key=lambda one: sorted(one.items()))
        return value
    return [same_for_all(inner) for inner in value] if isinstance(value, list) else value


def test_the_figures_do_not_depend_on_the_buckets():
    with Engine(buckets=1) as one, Engine(buckets=BUCKETS) as eight:
        told_one, told_eight = story(one), story(eight)
        for engine in (one, eight):
            engine.assert_ledger_holds()
    assert len(told_one) > 250 and sum("code" in answer and "details" in answer for answer in told_one) >= 20
    for first, second in zip(told_one, told_eight):
        assert same_for_all(first) == same_for_all(second)


# Where rows lie


def test_rows_lie_where_they_belong(eight):
    members = [new_partner() for _ in range(60)]
    for partner in members:
        sale = order(partner)
        eight.call("order.process", sale)
        eight.call("order.refund", dict(refund(sale["order_id"], line(qty=-1)), partner_id=partner))
    assert {bucket_of(partner) for partner in members} == set(range(BUCKETS))
    for partner, bucket in eight.query("SELECT partner_id, bucket FROM members"):
        assert bucket == bucket_of(partner)
    for partner, card, bucket in eight.query("SELECT partner_id, card_id, bucket FROM loyalty_cards WHERE partner_id IS NOT NULL"):
        assert bucket == bucket_of(partner) == card % BUCKETS
    for table in ("point_moves", "point_history"):
        assert eight.query(f"SELECT count(*) FROM {table} WHERE bucket <> mod(card_id, {BUCKETS})") == [(0,)]
    for partner, bucket in eight.query("SELECT partner_id, bucket FROM orders WHERE partner_id IS NOT NULL"):
        assert bucket == bucket_of(partner)
    for key, bucket in eight.query("SELECT key, bucket FROM request_keys"):
        assert bucket == affinity({"order_id": key}) % BUCKETS, key
    for code, bucket in eight.query("SELECT code, bucket FROM card_codes"):
        assert bucket == affinity({"code": code}) % BUCKETS


# Orders that touch several


@pytest.mark.parametrize("distance", range(BUCKETS))
def test_a_bearers_card_of_another_bucket(eight, distance):
    card = eight.call("card.create", {"program_id": 1, "points": 50})
    partner = partner_in((card["card_id"] + distance) % BUCKETS)
    sale = order(partner, claims=[{"program_id": 1, "reward_id": 2, "card": card["code"]}])
    done = eight.call("order.process", sale)
    assert (done["amount_total"], done["final_balance"]) == ("5.00", "10.00")
    back = eight.call("order.refund", refund(sale["order_id"], line(qty=-1)))
    assert back["restored"] == [{"card_id": card["card_id"], "points": "50.00"}]
    assert eight.call("card.get", {"code": card["code"]})["balance"] == "50.00"
    assert eight.call("card.get", {"partner_id": partner, "program_id": 1})["balance"] == "0.00"


@pytest.mark.parametrize("distance", range(BUCKETS))
def test_returns_of_two_members_by_a_third(eight, distance):
    members = [partner_in(bucket % BUCKETS) for bucket in (0, distance, 2 * distance + 1)]
    sales = [order(partner) for partner in members[:2]]
    for sale in sales:
        eight.call("order.process", sale)
    lines = [line(qty=-1, refund_of=sale["order_id"]) for sale in sales]
    back = eight.call("order.process", order(members[2], *lines, line(1, 1, "30.00")))
    assert back["amount_total"] == "10.00" and back["uncovered"] == []
    balances = [eight.call("card.get", {"partner_id": partner, "program_id": 1})["balance"] for partner in members]
    assert balances == ["0.00", "0.00", "30.00"]
    # It took points back of others, so that it cannot be cancelled yet; what it took cannot be taken again.
    again = eight.call("order.refund", refund(sales[0]["order_id"], line(qty=-1)))
    assert len(again["uncovered"]) == 1


def test_cancels_in_every_bucket(eight):
    """The key of a cancel, that of its order and the order itself lie in three buckets."""
    for bucket in range(BUCKETS):
        sale = order(partner_in(bucket))
        eight.call("order.process", sale)
        undone = eight.call("order.cancel", {"order_id": sale["order_id"]})
        assert undone["final_balance"] == "0.00"
        assert eight.call("order.cancel", {"order_id": sale["order_id"]}) == dict(undone, replayed=True)
        early = new_id()
        eight.call("order.cancel", {"order_id": early})
        with pytest.raises(LoyaltyError):
            eight.call("order.process", order(sale["partner_id"], order_id=early))


def test_batches_over_all_buckets_at_once(eight):
    """Cards of all buckets in one order, from many tills, in every order."""
    codes = []
    for _ in range(16):
        codes.append(new_id("SPREAD"))
        eight.call("card.create", {"program_id": 1, "code": codes[-1], "points": 100})
    requests = []
    for number in range(60):
        shown = codes[number % 16 :] + codes[: number % 16]
        shown = shown[::-1] if number % 2 else shown
        claims = [{"program_id": 1, "reward_id": 1, "points": "1", "card": code} for code in shown]
        requests.append(("order.process", order(partner_in(number % BUCKETS), claims=claims)))
    assert {result_of(reply)["amount_total"] for reply in at_once(eight.endpoint, requests)} == {"9.84"}
    assert {eight.call("card.get", {"code": code})["balance"] for code in codes} == {"40.00"}


def test_the_number_of_buckets_is_fixed_when_the_database_is_made():
    """Asking for another number at the next start is refused or without effect, never a ledger that is cut in two."""
    with Engine(buckets=2) as engine:
        engine.call("program.put", loyalty_program())
        for partner in range(1, 9):
            engine.call("order.process", order(partner))
        engine.stop()
        engine.arguments[engine.arguments.index("--buckets") + 1] = "4"
        try:
            engine.start()
        except AssertionError:
            engine.arguments[engine.arguments.index("--buckets") + 1] = "2"
            engine.start()
        assert engine.query("SELECT value FROM settings WHERE name = 'buckets'") == [("2",)]
        for partner in range(1, 9):
            assert engine.call("order.process", order(partner))["final_balance"] == "20.00"
        engine.assert_ledger_holds()
