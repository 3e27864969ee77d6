"""The model of test/property/model on the programs of docs/examples, without an engine: each cart comes out as its file says."""

import pytest

import test_examples
from model.as_engine import ModelEngine


@pytest.mark.parametrize("example", [pytest.param(example, id=name) for name, example in test_examples.EXAMPLES])
def test_example(example):
    text = test_examples.play(ModelEngine(), example)
    assert not text, "\n".join(text)
