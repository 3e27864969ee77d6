"""The model of test/property/model on the programs of docs/examples, without an engine: each cart comes out as its file says."""

import sys

import pytest

import carts
from harness import ROOT
from model.as_engine import ModelEngine

sys.path.insert(0, str(ROOT / "docs" / "examples"))
import make_page  # noqa: E402

# What the model does not know: codes that members ask for and points for their owners, levels reached by spending.
BEYOND = ("23-bring-a-friend.json", "25-tiers.json")
EXAMPLES = [(name, example) for name, example in make_page.load() if name not in BEYOND]


def play(engine, example):
    """What does not come out as the example says, as lines of text."""
    load = example["load"]
    engine.call("reference.put", {name: rows for name, rows in load.items() if name != "programs"})
    codes = {}  # that cards got, by what the page calls them
    for program in load["programs"]:
        engine.call("program.put", program)
    for call in example.get("before", []):
        engine.call(call["method"], call["body"])
    text = []
    for cart in example["carts"]:
        order = dict(cart["order"])
        order["claims"] = [dict(claim, code=codes[claim["code"]]) if claim.get("code") in codes else claim for claim in order.get("claims", [])]
        answer = engine.call("order.process", order)
        if "coupon" in cart:
            codes[cart["coupon"]] = answer["cards"][0]["code"]
        text += [f"{cart['what']}: {line}" for line in carts.differences(cart["result"], answer)]
    return text


@pytest.mark.parametrize("example", [pytest.param(example, id=name) for name, example in EXAMPLES])
def test_example(example):
    text = play(ModelEngine(), example)
    assert not text, "\n".join(text)


def test_there_are_examples():
    assert len(EXAMPLES) >= 24
