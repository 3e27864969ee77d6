"""The network between any two programs: slow, silent, broken, half closed. Clients wait, nothing is lost or doubled."""

import contextlib
import time

import pytest

from pg_proxy import socket_of
from stream_proxy import ProxyInPlace, StreamProxy
from world import report

DELAY_S, SILENT_S = 0.05, 2.5  # a bad line to another town; longer than any heartbeat


@contextlib.contextmanager
def before_the_broker(world):
    """Between the clients of a load and the broker."""
    with StreamProxy(world.engine.endpoint) as proxy:
        yield proxy, {"endpoint": proxy.endpoint}


@contextlib.contextmanager
def before_the_workers(world):
    """Between broker and workers, which are started again to connect through it."""
    with ProxyInPlace(world.engine.worker_endpoint) as proxy:
        restart_workers(world)
        yield proxy, {}
    restart_workers(world)


@contextlib.contextmanager
def before_the_database(world):
    with ProxyInPlace(str(socket_of(world.engine))) as proxy:
        restart_workers(world)
        yield proxy, {}
    restart_workers(world)


def restart_workers(world):
    for number in range(1, world.engine.workers + 1):
        old = world.engine.kill_worker(number)
        world.engine.wait_for_new(f"worker-{number}", old)


def go_slow(proxy):
    proxy.delay_s = DELAY_S
    time.sleep(1.5)
    proxy.delay_s = 0.0


def say_nothing(proxy):
    proxy.freeze()
    time.sleep(SILENT_S)
    proxy.thaw()


def refuse_for_a_moment(proxy):
    proxy.refuse()
    time.sleep(1)
    proxy.accept()


FAULTS = {
    "slow": go_slow,
    "silent": say_nothing,
    "cut": StreamProxy.cut,
    "refused": refuse_for_a_moment,
    "half closed": StreamProxy.half_close,
}
PLACES = {"client and broker": before_the_broker, "broker and worker": before_the_workers, "worker and PostgreSQL": before_the_database}


@pytest.mark.parametrize("place", PLACES)
def test_the_network_fails(world, seed, place):
    with PLACES[place](world) as (proxy, options), world.load(seed, **options) as load:
        assert proxy.connections > 0
        back = {}
        for name, fault in FAULTS.items():
            fault(proxy)
            start = time.monotonic()
            world.wait_for_answers(load, 60)
            back[name] = time.monotonic() - start
    told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in back.items())
    report(f"network between {place}", f"60 answers after its end, in s: {told}")
    world.report(f"network between {place}: {len(FAULTS)} faults", load)
    world.judge()
