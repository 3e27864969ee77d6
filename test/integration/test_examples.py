"""The programs of docs/examples: what the page says to type comes out as it says, and the page is what the files make."""

import json
import subprocess
import sys
from decimal import Decimal

import pytest

import carts
import curve
from harness import BUILD, ROOT, Engine

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
    if "levels" in request.param[1]["load"]:
        with Engine(workers=1) as own:
            yield own
            own.assert_ledger_holds()
    else:
        yield engine


def typed(engine, command, code=None):
    """What a line of the page prints, typed into a shell in the project's folder; CODE is what it stands for."""
    environment = {"PATH": f"{BUILD / 'bin'}:/usr/bin:/bin", "LOYALTY_ENDPOINT": engine.endpoint, "LC_ALL": "C.UTF-8", **curve.command_environment()}
    command = command.replace('"CODE"', json.dumps(code)) + " --timeout-ms 60000"  # a busy machine is no mistake of the page
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def play(engine, name, example):
    """Types what the page says; what does not come out as it says, as lines of text."""
    typed(engine, make_page.load_command(name))
    try:
        found, code = [], None
        for call in example.get("before", []):
            answer = json.loads(typed(engine, make_page.command(example, call["method"], call["body"])))
            code = answer.get("code", code)
        for cart in example["carts"]:
            found += play_cart(engine, example, cart, code)
            code = engine.call("order.get", {"order_id": cart["order"]["order_id"]})["cards"][0]["code"] if "coupon" in cart else code
        return found
    finally:
        for program in example["load"]["programs"]:
            engine.call("program.delete", {"program_id": program["program_id"]})


def play_cart(engine, example, cart, code):
    """Quoted, then processed."""
    commands = [make_page.command(example, method, cart["order"]) for method in ("order.quote", "order.process")]
    quote, answer = (json.loads(typed(engine, command, code)) for command in commands)
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
    found = play(place, *example)
    assert not found, "\n".join([example[1]["title"], *found])


def test_the_page_is_what_the_files_make():
    assert (ROOT / "docs" / "examples" / "README.md").read_text(encoding="utf-8") == make_page.page(EXAMPLES), (
        "run docs/examples/make_page.py > docs/examples/README.md"
    )


def test_the_examples_use_ids_of_their_own():
    """All of them can be put into one engine: no two have a program, a product, a customer or an order in common."""
    for field, of in (("program_id", "programs"), ("product_id", "products"), ("partner_id", "partners"), ("store_id", "stores"), ("category_id", "categories"),
                      ("membership_product_id", "levels")):
        ids = [row[field] for _, example in EXAMPLES for row in example["load"].get(of, [])]
        assert len(ids) == len(set(ids)), field
    orders = [cart["order"]["order_id"] for _, example in EXAMPLES for cart in example["carts"]]
    assert len(orders) == len(set(orders)) and len(EXAMPLES) >= 30


def test_receipts_add_up():
    """A receipt's lines and discounts come to its total."""
    for name, example in EXAMPLES:
        for cart in example["carts"]:
            lines = sum(Decimal(str(line["qty"])) * Decimal(line["price_unit"]) for line in cart["order"]["lines"])
            off = sum(Decimal(effect["amount"]) for effect in cart["result"].get("discounts", []))
            assert lines - off == Decimal(cart["result"]["amount_total"]), (name, cart["what"])
