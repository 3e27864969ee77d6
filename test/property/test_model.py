"""The engine beside the model of test/property/model: random carts on random catalogs.

Runs alike every time, unless LOYALTY_MODEL_SEED is set; LOYALTY_MODEL_EXAMPLES sets how many catalogs are tried. Programs and
carts to which the engine answers "not supported yet" are left out; the last test says how many.
"""

import collections
import json
import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from loyalty_client import LoyaltyError
from model import carts
from model.compare import differences
from model.world import Refused, World

EXAMPLES = int(os.environ.get("LOYALTY_MODEL_EXAMPLES", 4000 if os.environ.get("LOYALTY_LONG") else 300))
CARTS_OF_A_CATALOG = 4
SETTINGS = settings(
    max_examples=EXAMPLES,
    derandomize="LOYALTY_MODEL_SEED" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    phases=(Phase.generate, Phase.shrink),
)
HISTORIES = settings(SETTINGS, max_examples=EXAMPLES // 2)
COUNTS = collections.Counter()


REFERENCE = {"stores": carts.STORES, "products": carts.PRODUCTS, "categories": carts.CATEGORIES}


def card_fields(program, partner, code, points):
    card = {"program_id": program, "partner_id": partner, "code": code, "points": points}
    return {name: value for name, value in card.items() if value is not None}


def is_not_supported(error):
    return error.code == "invalid_request" and "not supported yet" in error.message


class Shop:
    """An engine with the products, members and cards of the random carts."""

    def __init__(self, engine):
        self.engine, self.call, self.client = engine, engine.call, engine.client()
        self.call("reference.put", REFERENCE)
        self.known = [id for id in carts.TYPES if self.has(dict(self.archived(id), state="active"))]
        self.cards = [card for card in carts.CARDS if self.make_card(*card)]
        self.put([])

    @staticmethod
    def archived(id):
        places = carts.PLACES.get(carts.TYPES[id], "current")
        trigger = "with_code" if carts.TYPES[id] in ("promo_code", "coupons") else "auto"
        program = {"program_id": id, "name": "gone", "program_type": carts.TYPES[id], "applies_on": places}
        return dict(program, trigger=trigger, state="archived")

    def has(self, program):
        """Puts a program; whether the engine supports it."""
        try:
            self.call("program.put", program)
            return True
        except LoyaltyError as error:
            if not is_not_supported(error):
                raise
            COUNTS[f"program: {error.message}"] += 1
            return False

    def make_card(self, program, partner, code, points):
        if program not in self.known:
            return False
        self.call("card.create", card_fields(program, partner, code, points))
        return True

    def put(self, programs):
        """These programs, and no others of carts. Answers those that the engine supports."""
        while True:
            ids = {program["program_id"] for program in programs}
            gone = [self.archived(id) for id in self.known if id not in ids]
            try:
                self.client.load(programs=programs + gone)
                return programs
            except LoyaltyError as error:
                if not is_not_supported(error):
                    raise
                place = int(error.details["path"].split("[")[1].split("]")[0])
                COUNTS[f"program: {error.message}"] += 1
                programs = programs[:place] + programs[place + 1 :]

    def world(self, programs):
        """The model with the same programs and cards."""
        world = World()
        world.call("reference.put", REFERENCE)
        known = {program["program_id"] for program in programs}
        for program in programs + [self.archived(id) for id in self.known if id not in known]:
            world.call("program.put", program)
        for card in self.cards:
            world.call("card.create", card_fields(*card))
        return world

    def quote(self, cart):
        """The engine's answer, or None where it says that it cannot do this yet."""
        if any(code not in [card[2] for card in self.cards] for code in cart.get("cards", [])):
            COUNTS["cart: shows a card of a program that is not supported"] += 1
            return None
        try:
            return self.call("order.quote", cart)
        except LoyaltyError as error:
            if not is_not_supported(error):
                raise
            COUNTS[f"cart: {error.message}"] += 1
            return None


@pytest.fixture(scope="module")
def shop(engine):
    return Shop(engine)


def report(programs, cart, different):
    """A case as a person reads it."""
    lines = ["", "programs:"] + [f"  {json.dumps(program)}" for program in programs]
    lines += ["cart:", f"  {json.dumps(cart)}", "differences:"]
    return "\n".join(lines + [f"  {name}:\n    engine {engine}\n    model  {mine}" for name, engine, mine in different])


def answer(quote, cart):
    """What a quote answers, or the code of what it refuses."""
    try:
        return quote(cart)
    except (LoyaltyError, Refused) as refused:
        return refused.code


@SETTINGS
@given(data=st.data())
def test_quotes_agree(shop, data):
    drawn = data.draw(carts.catalogs())
    strategy = carts.carts(drawn)
    drawn_carts = [data.draw(strategy) for _ in range(CARTS_OF_A_CATALOG)]
    programs = shop.put(drawn)
    world = shop.world(programs)
    for cart in drawn_carts:
        reply = answer(shop.quote, cart)
        if reply is None:
            continue
        mine = answer(world.quote, cart)
        if isinstance(mine, str) or isinstance(reply, str):
            COUNTS["carts that both refuse"] += 1
            assert mine == reply, report(programs, cart, [("error", reply, mine)])
            continue
        COUNTS["carts compared"] += 1
        COUNTS["carts with a reward"] += bool(mine["discounts"])
        different = differences(world.last, mine, reply)
        assert not different, report(programs, cart, different)


def test_what_was_compared():
    """Prints what was left out (pytest -s shows it); nothing is compared where the engine cannot do much yet."""
    for name, count in sorted(COUNTS.items(), key=lambda item: -item[1]):
        print(f"{count:7} {name}")
    assert COUNTS["carts compared"] > EXAMPLES
    assert COUNTS["carts with a reward"] > COUNTS["carts compared"] / 10
