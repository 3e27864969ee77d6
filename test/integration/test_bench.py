"""`loyalty bench`: what it sends is done, what it prints adds up. Nothing here depends on how fast the machine is."""

import json
import shutil

import pytest

from harness import ROOT, Engine, loyalty

KEYS = {"orders_per_s", "p50_ms", "p99_ms", "p999_ms", "max_ms", "errors", "pgbench_tps", "ratio", "worker_rss_mb"}
SAMPLE = ROOT / "docs/examples/online-retail/online-retail-sample.orders.jsonl"
LIMIT_PROGRAM = 900000005


@pytest.fixture(scope="module")
def engine():
    with Engine() as engine:
        yield engine


def bench(engine, *options):
    done = engine.command("bench", "--json", "--seconds", "1", "--warmup", "0", "--cards", "50", *options)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert KEYS <= set(figures)
    assert figures["errors"] == 0 and figures["orders"] > 0, figures
    assert 0 < figures["p50_ms"] <= figures["p99_ms"] <= figures["p999_ms"] <= figures["max_ms"]
    return figures


def spent(engine, card):
    return 10_000_000 - float(engine.call("card.balance", card)["balance"])


def test_a_closed_and_an_open_loop_and_quotes(engine):
    closed = bench(engine)
    assert closed["orders_per_s"] == pytest.approx(closed["orders"], rel=0.5)
    assert closed["redemptions"] < closed["orders"]
    opened = bench(engine, "--rate", "50")
    assert opened["rate"] == 50 and opened["orders"] <= 100
    assert bench(engine, "--method", "order.quote", "--concurrency", "2")["method"] == "order.quote"
    assert bench(engine, "--hot-card")["cards"] == 1
    assert engine.command("fsck").returncode == 0


def test_one_code_and_one_limit_for_all(engine):
    """Every order spends a point of the one card, and is one use of the one program."""
    figures = bench(engine, "--hot-code", "--hot-limit", "--concurrency", "8")
    uses = engine.query("SELECT used FROM program_usage WHERE program_id = %s AND kind = 1", (LIMIT_PROGRAM,))
    assert spent(engine, {"code": "BENCH-HOT-CODE"}) == uses[0][0] >= figures["orders"]
    bench(engine, "--hot-code", "--hot-limit")
    assert engine.command("fsck").returncode == 0


def test_orders_of_a_file(engine, folder):
    assert bench(engine, "--orders", str(SAMPLE))["products"] > 1000
    broken = folder / "orders.jsonl"
    shutil.copy(SAMPLE, broken)
    with broken.open("a") as file:
        file.write("{\n")
    done = engine.command("bench", "--orders", str(broken), "--seconds", "1")
    assert done.returncode == 1 and f"{broken}, line 300" in done.stderr


@pytest.mark.parametrize("options", [["--rate", "0"], ["--seconds", "x"], ["--cards"], ["--redeem", "101"], ["--nothing"]])
def test_wrong_usage(options):
    done = loyalty("bench", *options)
    assert done.returncode == 2 and "usage: loyalty bench" in done.stderr
