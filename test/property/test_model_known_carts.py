"""The model of test/property/model on carts whose right results are known (test/integration/known_carts), without an engine."""

import pathlib

import pytest

import carts
from loyalty_client import LoyaltyError
from model.world import Refused, World

FOLDER = pathlib.Path(carts.__file__).parent / "known_carts"
CASES = carts.load(FOLDER)


class ModelEngine:
    """The model, called as an engine is."""

    def __init__(self):
        self.world = World()

    def call(self, method, body):
        try:
            return self.world.call(method, dict(body))
        except Refused as refused:
            raise LoyaltyError(str(refused), refused.details, code=refused.code) from refused


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case['file']}:{case['id']}") for case in CASES])
def test_cart(case):
    text = carts.play(ModelEngine(), case)
    assert not text, "\n".join([case["shows"], *text])
