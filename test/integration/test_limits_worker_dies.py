"""A worker that dies under load: what is limited is given as often as the limit says, no more and no less (rule 27)."""

import collections
import threading

from shop import Programs, order
from test_limits_at_once import CLIENTS, send_all, several_members, ten_by_code, used


def test_rule_27_while_workers_die(own_engine):
    """Orders that a dying worker had in hand are sent again, and counted once: a hundred want thirty uses and a booklet of twenty coupons."""
    own_engine.call("reference.put", {"products": [{"product_id": 1}]})
    programs = Programs(own_engine)
    limited, code = ten_by_code(programs, max_usage=30)
    booklet = programs.put(program_type="coupons", trigger="with_code", rules=[], rewards=[
        {"discount": 1, "discount_mode": "per_order", "discount_applicability": "specific"}])  # fmt: skip
    own_engine.call("card.create", {"program_id": booklet, "code": "BOOKLET", "points": 20})
    claims = [{"code": code}, {"code": "BOOKLET"}]
    orders = [order(partner, claims=claims, on_refused="skip") for partner in several_members(CLIENTS)]
    killer = threading.Timer(0.3, own_engine.kill_worker, [1])
    killer.start()
    try:
        done, refused = send_all(own_engine, orders)
    finally:
        killer.join()
    given = collections.Counter(one["program_id"] for answer in done for one in answer["discounts"])
    assert (len(done), refused, given) == (CLIENTS, {}, {limited: 30, booklet: 20})
    assert used(own_engine, limited)[0][0] == 30
    assert own_engine.call("coupon.check", {"code": "BOOKLET"})["state"] == "used"
    own_engine.assert_ledger_holds()
