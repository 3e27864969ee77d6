"""Clients that mean harm or are broken: nothing that they do costs the broker anything that lasts, or the others more
than a moment. Sockets by hand, speaking ZMTP 3.1 (rfc.zeromq.org/spec/37) as far as each of them cares to."""

import contextlib
import os
import pathlib
import resource
import socket
import struct
import threading
import time

import msgpack
import pytest

from harness import Engine, process_exists, program, wait_until
from shop import order
from test_broker import WAIT_S, Client, serving
from test_broker import Broker as AnyBroker

GREETING = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01" + b"NULL".ljust(20, b"\0") + b"\0" * 32
READY = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
MORE, COMMAND = 1, 4
SANITIZED = b"__asan_init" in pathlib.Path(program("loyalty-broker")).read_bytes()


class Broker(AnyBroker):
    """One without keys: what comes here is judged after the handshake."""

    has_keys = False


class Wire:
    """One TCP connection to a ROUTER."""

    def __init__(self, endpoint, receive_buffer=None):
        host, port = endpoint[len("tcp://") :].split(":")
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(WAIT_S)
        self.socket.connect((host, int(port)))

    def shake_hands(self):
        self.socket.sendall(GREETING)
        self.read(64)
        self.socket.sendall(bytes([COMMAND, len(READY)]) + READY)
        flags, size = self.read(2)
        assert flags == COMMAND
        self.read(size)
        return self

    def read(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            assert part, "closed"
            data += part
        return data

    def send(self, *frames):
        self.socket.sendall(b"".join(frame(data, more=data is not frames[-1]) for data in frames))

    def close(self, reset=False):
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def frame(data, more=False):
    if len(data) < 256:
        return bytes([MORE * more, len(data)]) + data
    return bytes([MORE * more | 2]) + struct.pack(">Q", len(data)) + data


def quote(request_id=1, method="order.quote"):
    return msgpack.packb({"v": 1, "id": request_id, "method": method, "ttl_ms": 30000}), b"\x80"


class Cost:
    """What a process has now: descriptors and MiB of memory."""

    def __init__(self, pid):
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        with open(f"/proc/{pid}/statm") as statm:
            self.mib = int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def assert_nothing_lasts(broker, before, mib):
    """Descriptors come back to what they were, memory almost, and no time is spent any more."""
    pid = broker.process.pid
    wait_until(lambda: Cost(pid).descriptors <= before.descriptors, WAIT_S, "the descriptors to be closed")
    if not SANITIZED:  # which keeps freed memory for a while
        after = Cost(pid)
        assert after.mib - before.mib < mib, f"{before.mib:.1f} MiB before, {after.mib:.1f} after"
    spent = cpu_seconds(pid)
    time.sleep(0.5)
    assert cpu_seconds(pid) - spent < 0.3, "it is busy although nobody asks anything"


@pytest.fixture
def broker():
    with Broker(client_idle_ms=500, unavailable_after_ms=600000) as broker, serving(broker):
        assert Client(broker).call()["ok"]
        yield broker


def test_who_says_nothing_or_half_a_message_or_never_reads_is_shown_out(broker):
    """All three at once, since for each of them the broker has some seconds of patience."""
    good = Client(broker)
    assert good.call()["ok"]
    before = Cost(broker.process.pid)
    # Silence, and half a greeting.
    wires = [Wire(broker.client_endpoint) for _ in range(200)]
    for wire in wires[100:]:
        wire.socket.sendall(GREETING[:11])
    # Half a frame, and a whole one with the promise of a megabyte behind it.
    header, body = quote()
    for index in range(100):
        wire = Wire(broker.client_endpoint).shake_hands()
        wires.append(wire)
        if index % 2:
            wire.socket.sendall(frame(header, more=True)[: 2 + len(header) // 2])
        else:
            wire.socket.sendall(frame(header, more=True) + b"\x02" + struct.pack(">Q", 1 << 20) + b"x" * 1000)
    wait_until(lambda: Cost(broker.process.pid).descriptors >= before.descriptors + 300, WAIT_S, "the connections")
    assert good.call()["ok"]
    assert good.stats()["counters"]["received"] <= 5, "half a message never arrived"
    # Requests without end by somebody who reads no answer; each is answered by the broker itself.
    deaf = Wire(broker.client_endpoint, receive_buffer=4096).shake_hands()
    wires.append(deaf)
    header, body = quote(method="order.steal")
    message = frame(header, more=True) + frame(body)
    with contextlib.suppress(OSError):
        for _ in range(300):
            deaf.socket.sendall(message * 1000)
    assert good.call()["ok"]
    stats = good.stats()
    assert stats["errors"]["invalid_request"] > 10000
    assert stats["counters"]["replies_dropped"] > 0, "what it does not take is dropped"
    if not SANITIZED:
        assert Cost(broker.process.pid).mib - before.mib < 64
    # They are all still there; but for the broker they are gone, with all that waited for them.
    assert_nothing_lasts(broker, before, mib=16)
    for wire in wires:
        wire.close()
    assert good.call()["ok"]


def test_reconnecting_all_the_time_leaves_nothing(broker):
    header, body = quote()

    def storm(count):
        for index in range(count):
            wire = Wire(broker.client_endpoint)
            if index % 4 > 0:
                wire.shake_hands()
            if index % 4 > 1:
                wire.send(header, body)
            wire.close(reset=index % 3 == 0)

    good = Client(broker)
    storm(400)  # what is made once and kept is made
    wait_until(lambda: good.stats()["queue"]["clients"] <= 1, WAIT_S, "the clients to be forgotten")
    before = Cost(broker.process.pid)
    begin = time.monotonic()
    storm(2000)
    rate = 2000 / (time.monotonic() - begin)
    assert good.call()["ok"]
    assert_nothing_lasts(broker, before, mib=8)
    wait_until(lambda: good.stats()["queue"]["clients"] <= 1, WAIT_S, "the clients to be forgotten")
    print(f"{rate:.0f} connections a second")


def test_more_connections_than_descriptors_are_survived(broker):
    """At the limit of open files new connections wait; those that stand are served; and room is taken again."""
    good = Client(broker)
    assert good.call()["ok"]
    pid = broker.process.pid
    before = Cost(pid)
    limit = before.descriptors + 100
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))
    with contextlib.ExitStack() as stack:
        for _ in range(180):
            stack.callback(Wire(broker.client_endpoint).close)
        wait_until(lambda: Cost(pid).descriptors >= limit - 1, WAIT_S, "the limit")
        for _ in range(20):
            assert good.call()["ok"]
        # The silent ones are shown out after a while, so that a new client gets in although nobody has left.
        late = Client(broker)
        assert late.call()["ok"]
        late.socket.close(0)
    assert_nothing_lasts(broker, before, mib=8)
    assert Client(broker).call()["ok"]
    assert broker.process.poll() is None


# --- messages without an end ---


def endless(endpoint, frame_bytes, seconds=WAIT_S):
    """Frames of one message until the connection breaks."""
    count = 1 + 200000 // (frame_bytes + 9)
    block = frame(b"x" * frame_bytes, more=True) * count
    end = time.monotonic() + seconds
    with contextlib.suppress(OSError):
        wire = Wire(endpoint).shake_hands()
        while time.monotonic() < end:
            wire.socket.sendall(block)


bounded_memory = pytest.mark.skipif(SANITIZED, reason="the sanitizers' shadow memory takes any bound on memory at once")


@bounded_memory
def test_large_frames_without_an_end_cost_their_connection():
    with Broker(memory_mib_max=192, unavailable_after_ms=600000) as broker, serving(broker):
        good = Client(broker)
        assert good.call()["ok"]
        for _ in range(3):
            endless(broker.client_endpoint, 4000)
            assert broker.process.poll() is None
            assert good.call()["ok"]
        assert Cost(broker.process.pid).mib < 192


@bounded_memory
def test_small_frames_without_an_end_cost_a_broker_and_nobody_an_order():
    with Engine(workers=2, keys=False) as engine:
        (engine.data / "broker.conf").write_text("memory_mib_max = 192\n")
        old = engine.wait_for_new("broker", engine.kill_process("broker"))
        assert engine.call("admin.health")["status"] == "ok"
        told, failures, stop = {}, [], threading.Event()

        def till(number):
            try:
                with contextlib.closing(engine.client()) as client:
                    while not stop.is_set():
                        order_id = f"endless-{number}-{len(told)}"
                        told[order_id] = client.call("order.process", order(None, order_id=order_id), timeout=30)
            except Exception as failure:  # noqa: BLE001  told to the test
                failures.append(failure)

        tills = [threading.Thread(target=till, args=(number,)) for number in range(3)]
        for thread in tills:
            thread.start()
        endless(engine.endpoint, 10)
        wait_until(lambda: not process_exists(old), 10, "the end of the broker at its bound")
        engine.wait_for_new("broker", old)
        before = len(told)
        wait_until(lambda: failures or len(told) > before + 10, WAIT_S, "orders by the next broker")
        stop.set()
        for thread in tills:
            thread.join(60)
        assert not failures, failures[:3]
        assert engine.query("SELECT count(*) FROM orders")[0][0] == len(told)
        engine.assert_ledger_holds()
