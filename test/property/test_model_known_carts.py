"""The model of test/property/model on carts whose right results are known (test/integration/known_carts), without an engine."""

import pathlib

import pytest

import carts
from model.as_engine import ModelEngine

FOLDER = pathlib.Path(carts.__file__).parent / "known_carts"
CASES = carts.load(FOLDER)


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case['file']}:{case['id']}") for case in CASES])
def test_cart(case):
    text = carts.play(ModelEngine(), case)
    assert not text, "\n".join([case["shows"], *text])
