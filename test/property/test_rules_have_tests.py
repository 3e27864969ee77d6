"""docs/semantics.md and the tests say the same: every rule has tests that are named by it, and every test that the page names is there."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")
TESTS = {path: path.read_text(encoding="utf-8") for path in (ROOT / "test").rglob("*") if path.suffix in (".c", ".py")}
RULES = sorted({int(number) for number in re.findall(r"^(\d+)\. ", PAGE, re.MULTILINE)})
ROWS = dict(re.findall(r"^\| (\d+) \|[^|]*\|[^|]*\|([^|]*)\|$", PAGE, re.MULTILINE))
NAMES = [name for text in TESTS.values() for name in re.findall(r"^(?:Test|TestSuite) ?\(([^{]*?)[,)]\s", text, re.MULTILINE)]
NAMES += [name for text in TESTS.values() for name in re.findall(r"^Test ?\(\w+, (\w+)", text, re.MULTILINE)]
NAMES += [name.removeprefix("test_") for text in TESTS.values() for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)]


def test_the_page_has_all_rules():
    assert RULES == list(range(1, 38)) and sorted(map(int, ROWS)) == RULES


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_tests_named_by_it(rule):
    assert [name for name in NAMES if re.match(rf"rule_{rule}(_|$)", name)]


@pytest.mark.parametrize("rule", sorted(ROWS, key=int))
def test_what_a_row_names_is_there(rule):
    """Suites and tests by their names, files by theirs."""
    named = [name.strip(" `") for name in re.split(r"[;,]|property", ROWS[rule])]
    files = {path.name for path in TESTS}
    assert any(named)
    for name in filter(None, named):
        if name.endswith(".py"):
            assert name.rsplit("/", 1)[-1] in files, name
        else:
            assert any(one == name or one.startswith(name + "_") for one in NAMES), name
