"""The programs of docs/examples: each cart comes out as its file says, and the page is what the files make."""

import sys
from decimal import Decimal

import pytest

import carts
from harness import ROOT, Engine

sys.path.insert(0, str(ROOT / "docs" / "examples"))
import make_page  # noqa: E402

EXAMPLES = make_page.load()


@pytest.fixture(scope="module")
def engine():
    with Engine(workers=1) as engine:
        yield engine
        engine.assert_ledger_holds()


@pytest.fixture
def place(engine, request):
    """An engine for an example: the shared one, but for those with membership levels, which are everybody's."""
    if "levels" in request.param[1]["reference"]:
        with Engine(workers=1) as own:
            yield own
            own.assert_ledger_holds()
    else:
        yield engine


def play(engine, example):
    """What does not come out as the example says, as lines of text."""
    engine.call("reference.put", example["reference"])
    for program in example["programs"]:
        engine.call("program.put", program)
    try:
        codes = {}
        for call in example.get("before", []):
            answer = engine.call(call["method"], call["body"])
            if "code" in call:
                codes[call["code"]] = answer["code"]
        for card in example.get("cards", []):
            engine.call("card.create", card)
        return [line for cart in example["carts"] for line in play_cart(engine, cart, codes)]
    finally:
        for program in example["programs"]:
            engine.call("program.delete", {"program_id": program["program_id"]})


def play_cart(engine, cart, codes):
    order = dict(cart["order"])
    if "claims" in order:  # a code that an earlier cart made goes by the name that it was given there
        order["claims"] = [
            dict(claim, code=codes[claim["code"]]) if claim.get("code") in codes else claim for claim in order["claims"]
        ]
    quote = engine.call("order.quote", order)
    answer = engine.call("order.process", order)
    if "coupon" in cart:
        codes[cart["coupon"]] = answer["cards"][0]["code"]
    found = [f"{cart['what']}, quote: {line}" for line in carts.differences(without_new_codes(cart), quote)]
    return found + [f"{cart['what']}: {line}" for line in carts.differences(cart["result"], answer)]


def without_new_codes(cart):
    """A quote has no codes yet of the cards that would be made, but for those that are printed."""
    result = cart["result"]
    if "cards" not in result:
        return result
    printed = {line.get("gift_code") for line in cart["order"]["lines"]}
    return dict(result, cards=[card if card.get("code") in printed else dict(card, code=None) for card in result["cards"]])


@pytest.mark.parametrize(("place", "example"), [(entry, entry) for entry in EXAMPLES], ids=[name for name, _ in EXAMPLES], indirect=["place"])
def test_example(place, example):
    try:
        found = play(place, example[1])
    except carts.LoyaltyError as failed:
        try:
            carts.unsupported(failed)
        except carts.NotSupportedYet as not_yet:
            pytest.xfail(str(not_yet))
        raise
    assert not found, "\n".join([example[1]["title"], *found])


def test_the_page_is_what_the_files_make():
    assert (ROOT / "docs" / "examples" / "README.md").read_text(encoding="utf-8") == make_page.page(EXAMPLES), (
        "run docs/examples/make_page.py > docs/examples/README.md"
    )


def test_the_examples_use_ids_of_their_own():
    """All of them can be put into one engine: no two have a program, a product, a customer or an order in common."""
    for field, of in (("program_id", "programs"), ("product_id", "products"), ("partner_id", "partners"), ("store_id", "stores"), ("category_id", "categories")):
        ids = [row[field] for _, example in EXAMPLES for row in (example["programs"] if of == "programs" else example["reference"].get(of, []))]
        assert len(ids) == len(set(ids)), field
    orders = [cart["order"]["order_id"] for _, example in EXAMPLES for cart in example["carts"]]
    assert len(orders) == len(set(orders)) and len(EXAMPLES) >= 24


def test_receipts_add_up():
    """A receipt's lines and discounts come to its total."""
    for name, example in EXAMPLES:
        for cart in example["carts"]:
            lines = sum(Decimal(str(line["qty"])) * Decimal(line["price_unit"]) for line in cart["order"]["lines"])
            off = sum(Decimal(effect["amount"]) for effect in cart["result"].get("discounts", []))
            assert lines - off == Decimal(cart["result"]["amount_total"]), (name, cart["what"])
