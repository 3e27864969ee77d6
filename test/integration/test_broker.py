"""The broker as a process: real sockets, fake workers and clients that speak the protocols of docs/ by hand."""

import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import msgpack
import pytest
import zmq

import curve
from harness import COMPLAINT, ROOT, environment, program, wait_until

HELLO, REPLY, GRANT, BEAT, DRAIN, GOODBYE = 1, 2, 3, 4, 5, 6
WELCOME, DISPATCH, BROKER_BEAT, RESET = 17, 18, 19, 20
VERSION = 1
WAIT_S = 60  # an upper bound for what should take a moment: sanitizers on a busy machine


class Broker:
    """A loyalty-broker on free ports. `settings` go into its configuration file."""

    def __init__(self, *options, **settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="loyalty-broker-"))
        self.config = self.folder / "broker.conf"
        self.write_config(**settings)
        self.log = open(self.folder / "log", "w+b")
        self.process = subprocess.Popen(
            [program("loyalty-broker"), "--listen", "tcp://127.0.0.1:*", "--workers", "tcp://127.0.0.1:*",
             "--config", str(self.config), "--log", "debug", *self.keys(), *options],
            stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment())  # fmt: skip
        self.context = zmq.Context()
        self.sockets = []
        words = self.process.stdout.readline().split()
        assert len(words) == 3 and words[0] == "ready", f"{words}: {self.log_text()}"
        self.client_endpoint, self.worker_endpoint = words[1:]

    has_keys = curve.IS_ON

    def keys(self):
        """Options for the broker."""
        return ["--keys", str(curve.common_ring().list)] if self.has_keys else []

    def protect(self, socket, endpoint):
        """Keys for a socket that is to connect to the endpoint."""
        if self.has_keys:
            curve.protect(socket)

    def write_config(self, **settings):
        # A test's own worker is not to be taken for dead on a busy machine.
        settings = {"worker_timeout_ms": 60000, **settings}
        self.config.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))

    def log_text(self):
        return (self.folder / "log").read_text(errors="replace")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(WAIT_S)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for opened in self.sockets:
            opened.close(0)
        self.context.term()
        if self.process.poll() is None:
            self.process.terminate()
            time.sleep(0.05)
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
        try:
            code = self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "hung"
        self.process.stdout.close()
        text = self.log_text()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if kind is None:
            assert not COMPLAINT.search(text), text
            assert code in (0, -signal.SIGKILL), f"exit {code}: {text}"

    def dealer(self, endpoint):
        dealer = self.context.socket(zmq.DEALER)
        dealer.linger = 0
        self.protect(dealer, endpoint)
        dealer.connect(endpoint)
        self.sockets.append(dealer)
        return dealer


class Client:
    """One connection. Replies are kept by id until they are asked for."""

    def __init__(self, broker):
        self.socket = broker.dealer(broker.client_endpoint)
        self.replies = {}
        self.last_id = 0

    def send(self, method="order.quote", body=b"\x80", ttl_ms=30000, **header):
        self.last_id += 1
        fields = {"v": VERSION, "id": self.last_id, "method": method, "ttl_ms": ttl_ms, **header}
        self.socket.send_multipart([msgpack.packb(fields), body])
        return self.last_id

    def receive(self, request_id, wait_s=WAIT_S):
        """The reply's body; None when none comes in time."""
        end = time.monotonic() + wait_s
        while request_id not in self.replies:
            left_ms = (end - time.monotonic()) * 1000
            if left_ms <= 0 or not self.socket.poll(left_ms):
                return None
            header, body = self.socket.recv_multipart()
            header = msgpack.unpackb(header)
            assert header["v"] == VERSION
            assert header["id"] not in self.replies, "answered twice"
            self.replies[header["id"]] = msgpack.unpackb(body)
        return self.replies[request_id]

    def call(self, *arguments, **named):
        request_id = self.send(*arguments, **named)
        reply = self.receive(request_id)
        assert reply is not None, "no answer"
        return reply

    def stats(self):
        reply = self.call("admin.stats")
        assert reply["ok"], reply
        return reply["result"]


def code_of(reply):
    assert reply is not None and not reply["ok"], reply
    return reply["error"]["code"]


class Worker:
    """A worker driven step by step by the test. Its answer to a request is the request's own body and its name."""

    def __init__(self, broker, name="worker", credit=10, session=None):
        self.socket = broker.dealer(broker.worker_endpoint)
        self.name = name
        self.session = session or random.getrandbits(63) + 1
        self.granted = credit
        self.in_hand = []
        self.resets = []
        self.say(HELLO, self.granted, self.name)
        self.welcome = self.wait_for(WELCOME)

    def say(self, kind, *fields, payload=None):
        frames = [msgpack.packb([VERSION, kind, self.session, *fields])]
        self.socket.send_multipart(frames + ([payload] if payload is not None else []))

    def beat(self, **stats):
        self.say(BEAT, self.granted, payload=msgpack.packb(stats))

    def grant(self, count):
        self.granted += count
        self.say(GRANT, self.granted)

    def take(self, wait_ms=0):
        """One message of the broker; None when there is none. Dispatches go into in_hand."""
        if not self.socket.poll(wait_ms):
            return None
        control, *payload = self.socket.recv_multipart()
        control = msgpack.unpackb(control)
        if control[1] == DISPATCH:
            _, _, session, dispatch, ttl_ms, roles, user = control
            assert session == self.session and len(payload) == 2 and ttl_ms > 0
            self.in_hand.append((dispatch, msgpack.unpackb(payload[0]), payload[1]))
        elif control[1] == RESET:
            self.resets.append(control[3])
        return control

    def wait_for(self, kind):
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            control = self.take(100)
            if control is not None and control[1] == kind:
                return control
            if control is None and kind == DISPATCH:
                self.beat()
        raise AssertionError(f"{self.name} waited for a message of kind {kind}")

    def gather(self, count):
        while len(self.in_hand) < count:
            self.wait_for(DISPATCH)

    def answer(self, count=None):
        for dispatch, header, body in self.in_hand[:count]:
            result = {"worker": self.name, "id": header["id"], "body": body}
            self.say(REPLY, dispatch, payload=msgpack.packb({"ok": True, "result": result}))
        done = self.in_hand[:count]
        del self.in_hand[:count]
        self.grant(len(done))

    def close(self):
        self.socket.close(0)


@contextlib.contextmanager
def serving(broker, name="worker", credit=64, delay_s=0.0):
    """A worker that serves in a thread of its own."""
    worker = Worker(broker, name, credit)
    stop = threading.Event()

    def serve():
        beat_at = 0.0
        while not stop.is_set():
            worker.take(20)
            while worker.take():
                pass
            if worker.in_hand:
                time.sleep(delay_s)
                worker.answer()
            if time.monotonic() >= beat_at:
                worker.beat()
                beat_at = time.monotonic() + 0.2

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield worker
    finally:
        stop.set()
        thread.join()


# --- the ordinary way ---


def test_a_request_goes_to_a_worker_and_back():
    with Broker() as broker:
        client, worker = Client(broker), Worker(broker)
        sent = client.send(body=msgpack.packb({"a": 1}), ttl_ms=20000, key="k-1", affinity=7)
        worker.gather(1)
        _, header, body = worker.in_hand[0]
        assert header == {"v": 1, "id": sent, "method": "order.quote", "ttl_ms": 20000, "key": "k-1", "affinity": 7}
        assert msgpack.unpackb(body) == {"a": 1}
        worker.answer()
        assert client.receive(sent)["result"]["id"] == sent


def test_many_clients_and_workers():
    with Broker() as broker, contextlib.ExitStack() as stack:
        for number in range(3):
            stack.enter_context(serving(broker, f"worker-{number}", credit=8))
        clients = [Client(broker) for _ in range(40)]
        sent = [(client, client.send(body=msgpack.packb([index, turn]), affinity=index), [index, turn])
                for turn in range(25) for index, client in enumerate(clients)]  # fmt: skip
        names = set()
        for client, request_id, content in sent:
            reply = client.receive(request_id)
            assert reply and reply["ok"], reply
            assert msgpack.unpackb(reply["result"]["body"]) == content
            names.add(reply["result"]["worker"])
        assert len(names) == 3
        stats = clients[0].stats()
        assert stats["counters"]["answered"] == 1000
        assert stats["queue"]["waiting"] == stats["queue"]["in_work"] == stats["queue"]["bytes"] == 0
        assert stats["latency_us"]["count"] == 1000 and stats["latency_us"]["p99"] >= stats["latency_us"]["p50"] > 0


def test_statistics_show_workers_clients_and_settings():
    with Broker(requests_max=77) as broker:
        client, worker = Client(broker), Worker(broker, "one", credit=2)
        for _ in range(5):
            client.send()
        worker.gather(2)
        worker.beat(batches=12, nested={"depth": [1, 2]})
        monitor = Client(broker)
        stats = wait_until(lambda: (s := monitor.stats())["workers"][0]["stats"] and s, WAIT_S, "the heartbeat")
        assert stats["workers"][0]["name"] == "one"
        assert stats["workers"][0]["stats"] == {"batches": 12, "nested": {"depth": [1, 2]}}
        assert stats["workers"][0]["in_work"] == 2 and stats["workers"][0]["credit"] == 0
        assert int(stats["workers"][0]["session"], 16) == worker.session
        assert stats["queue"]["waiting"] == 3 and stats["queue"]["requests_max"] == 77
        assert stats["clients"][0]["waiting"] == 3 and stats["clients"][0]["in_work"] == 2
        assert stats["version"] and stats["uptime_ms"] >= 0 and stats["draining"] is False


def test_an_answer_may_be_as_large_as_a_request():
    with Broker() as broker, serving(broker):
        body = os.urandom(1024 * 1024)
        assert Client(broker).call(body=body)["result"]["body"] == body


def test_a_flood_does_not_starve_the_others():
    with Broker() as broker, serving(broker, credit=4, delay_s=0.005):
        flooder, other = Client(broker), Client(broker)
        for _ in range(1500):
            flooder.send(ttl_ms=60000)
        wait_until(lambda: other.stats()["queue"]["waiting"] > 500, WAIT_S, "the flood")
        for _ in range(20):
            assert other.call(ttl_ms=60000)["ok"]
        assert other.stats()["queue"]["waiting"] > 0, "the flood is still there: the other did not wait for it"


# --- workers that fail ---


def test_a_killed_worker_s_requests_go_to_another():
    with Broker(worker_timeout_ms=60000) as broker:
        client, first = Client(broker), Worker(broker, "first", credit=5)
        sent = [client.send() for _ in range(5)]
        first.gather(5)
        first.close()
        with serving(broker, "second"):
            for request_id in sent:
                assert client.receive(request_id)["result"]["worker"] == "second"
        assert client.stats()["counters"]["requeued"] == 5


def test_a_hung_worker_s_requests_go_to_another():
    with Broker(worker_timeout_ms=1000, heartbeat_ms=200) as broker:
        client, hung = Client(broker), Worker(broker, "hung", credit=1)
        assert hung.welcome[3:5] == [200, 1000]
        sent = client.send()
        hung.gather(1)
        with serving(broker, "other"):
            assert client.receive(sent)["result"]["worker"] == "other"
            # When it wakes, its answer is too late and it is told so.
            hung.answer()
            hung.wait_for(RESET)
            assert client.receive(sent, 0)["result"]["worker"] == "other"
            assert client.call()["ok"]


def test_a_request_that_kills_workers_ends():
    with Broker() as broker:
        client = Client(broker)
        sent = client.send(ttl_ms=120000)
        for _ in range(3):
            worker = Worker(broker, credit=1)
            worker.gather(1)
            worker.say(GOODBYE)
            worker.close()
        assert code_of(client.receive(sent)) == "worker_lost"


def test_a_worker_that_drains_finishes():
    with Broker() as broker:
        client, leaving = Client(broker), Worker(broker, "leaving")
        sent = client.send()
        leaving.gather(1)
        leaving.say(DRAIN)
        with serving(broker, "staying"):
            for _ in range(10):
                assert client.call()["result"]["worker"] == "staying"
            leaving.answer()
            assert client.receive(sent)["result"]["worker"] == "leaving"


def test_a_worker_is_reset_when_the_broker_does_not_know_it():
    with Broker() as broker:
        worker = Worker(broker)
        worker.session += 1
        worker.beat()
        worker.wait_for(RESET)
        assert worker.resets == [1]
        worker.say(HELLO, 10, "again")
        worker.wait_for(WELCOME)


def test_another_version_of_the_worker_protocol_is_told():
    with Broker() as broker:
        worker = broker.dealer(broker.worker_endpoint)
        worker.send(msgpack.packb([VERSION + 8, HELLO, 5, 10, "from the future", VERSION + 1]))
        assert worker.poll(WAIT_S * 1000)
        assert msgpack.unpackb(worker.recv()) == [VERSION, RESET, 5, 5]
        assert f"worker from the future is refused: it speaks versions {VERSION + 1} to {VERSION + 8}" in broker.log_text()
        worker.send(msgpack.packb([VERSION + 8, HELLO, 6, 10, "from the future", VERSION, "and more"]))
        assert worker.poll(WAIT_S * 1000)
        assert msgpack.unpackb(worker.recv())[:3] == [VERSION, WELCOME, 6], "the newest that both speak"


def test_the_example_of_the_documentation_is_a_worker():
    page = (ROOT / "docs" / "protocol-workers.md").read_text()
    lines = page[page.index("    import msgpack") :].splitlines()
    code = "\n".join(line[4:] for line in lines)
    with Broker(worker_timeout_ms=2500) as broker:
        code = code.replace("tcp://127.0.0.1:5756", broker.worker_endpoint)
        code = code.replace("socket.connect", "import curve; curve.protect(socket); socket.connect")
        worker = subprocess.Popen([sys.executable, "-c", code], cwd=pathlib.Path(__file__).parent)
        try:
            client = Client(broker)
            for _ in range(40):
                assert client.call()["result"] == {"method": "order.quote"}
            time.sleep(3)  # longer than the silence that is allowed
            assert client.stats()["counters"]["workers_left"] == 0
            assert client.call()["ok"]
        finally:
            worker.kill()
            worker.wait()


# --- bounds and deadlines ---


def test_without_workers_clients_are_told():
    with Broker(unavailable_after_ms=300) as broker:
        client = Client(broker)
        reply = client.call()
        assert code_of(reply) == "unavailable" and reply["error"]["retryable"]
        assert reply["error"]["details"]["retry_after_ms"] > 0


def test_a_deadline_passes_in_the_queue_and_in_work():
    with Broker(grace_ms=100) as broker:
        client, worker = Client(broker), Worker(broker, credit=1)
        in_work = client.send(ttl_ms=400)
        worker.gather(1)
        waiting = client.send(ttl_ms=200)
        end = time.monotonic() + WAIT_S
        while client.receive(in_work, 0.1) is None and time.monotonic() < end:
            worker.beat()
        assert code_of(client.receive(waiting)) == "expired_deadline"
        assert code_of(client.receive(in_work)) == "worker_lost"
        worker.answer()
        assert client.stats()["counters"]["overdue"] == 1


class BrokerWithoutKeys(Broker):
    """Each connection is a client of its own, whatever the suite has."""

    has_keys = False


def test_bounds_are_answered_busy():
    with BrokerWithoutKeys(client_requests_max=10, requests_max=25) as broker:
        worker = Worker(broker, credit=0)
        clients = [Client(broker) for _ in range(3)]
        sent = {client: [client.send() for _ in range(11)] for client in clients[:2]}
        for client in clients[:2]:
            reply = client.receive(sent[client][10])
            assert code_of(reply) == "busy" and reply["error"]["details"]["retry_after_ms"] > 0
        sent[clients[2]] = [clients[2].send() for _ in range(6)]
        assert code_of(clients[2].receive(sent[clients[2]][5])) == "busy"
        assert clients[2].stats()["queue"]["waiting"] == 25
        worker.grant(100)
        worker.gather(25)
        worker.answer()
        for client, ids in sent.items():
            for request_id in ids[:10] if client is not clients[2] else ids[:5]:
                assert client.receive(request_id)["ok"]


def test_settings_change_while_it_runs():
    with Broker(client_requests_max=2) as broker:
        client = Client(broker)
        Worker(broker, credit=0)
        ids = [client.send() for _ in range(3)]
        assert code_of(client.receive(ids[2])) == "busy"
        broker.write_config(client_requests_max=4)
        broker.signal(signal.SIGHUP)
        wait_until(lambda: "settings read again" in broker.log_text(), WAIT_S, "the settings")
        ids += [client.send() for _ in range(3)]
        assert code_of(client.receive(ids[5])) == "busy"
        assert client.stats()["queue"]["waiting"] == 4
        broker.write_config(client_requests_max="many")
        broker.signal(signal.SIGHUP)
        wait_until(lambda: "settings stay as they are" in broker.log_text(), WAIT_S, "the refusal")
        assert client.stats()["queue"]["waiting"] == 4


def test_too_large_is_told_and_far_too_large_ends_the_connection():
    with Broker() as broker, serving(broker):
        client = Client(broker)
        assert code_of(client.call(body=b"x" * (1024 * 1024 + 1))) == "too_large"
        client.send(method="m" * 2000)
        assert code_of(client.receive(0)) == "too_large", "a header too large to be read has no id"
        monster = Client(broker)
        monster.send(body=b"x" * (3 * 1024 * 1024))
        assert monster.receive(1, 0.5) is None
        assert client.call()["ok"]


def test_clients_that_do_not_read_keep_nobody_from_working():
    with Broker() as broker, serving(broker, credit=64):
        deaf = Client(broker)
        for _ in range(2000):
            deaf.send(body=b"x" * 20000)
        good = Client(broker)
        for _ in range(50):
            assert good.call()["ok"]


def test_clients_that_come_and_go_leave_nothing():
    with Broker(client_idle_ms=200) as broker, serving(broker):
        for _ in range(50):
            client = Client(broker)
            assert client.call()["ok"]
            client.socket.close(0)
        client = Client(broker)
        wait_until(lambda: client.stats()["queue"]["clients"] == 0, WAIT_S, "the clients to be forgotten")


# --- nonsense ---


def garbage_messages(random_source):
    yield [b""]
    yield [b"", b""]
    yield [b"\xc1", b"\xc1"]
    yield [b"\x80", b"\x80"]
    yield [msgpack.packb({"v": 1, "id": 1, "method": 5}), b"\x80"]
    yield [msgpack.packb({"v": 9, "id": 1, "method": "order.quote"}), b"\x80"]
    yield [msgpack.packb([1, DISPATCH, 5, 5, 5, 5, ""]), b"", b""]
    yield [msgpack.packb([1, HELLO, 0, 5, "zero"])]
    yield [msgpack.packb([1, REPLY, 2**64 - 1, 2**64 - 1]), b"\x80"]
    yield [b"\xdd\xff\xff\xff\xff"]
    yield [b"x"] * 1000
    for _ in range(100):
        yield [random_source.randbytes(random_source.randrange(60)) for _ in range(random_source.randrange(1, 5))]


@pytest.mark.parametrize("port", ["client_endpoint", "worker_endpoint"])
def test_garbage_frames_are_refused_and_work_goes_on(port):
    with Broker() as broker, serving(broker):
        client = Client(broker)
        vandal = broker.dealer(getattr(broker, port))
        count = 0
        for frames in garbage_messages(random.Random(1)):
            vandal.send_multipart(frames)
            count += 1
        assert client.call()["ok"]
        answered = 0
        while answered < count and vandal.poll(500):
            frames = vandal.recv_multipart()
            answered += 1
            if port == "client_endpoint":
                assert not msgpack.unpackb(frames[1])["ok"]
            else:
                assert msgpack.unpackb(frames[0])[1] in (RESET, WELCOME, BROKER_BEAT)
        if port == "client_endpoint":
            assert answered == count, "each of them is answered"
        assert client.call()["ok"]


@pytest.mark.parametrize("port", ["client_endpoint", "worker_endpoint"])
def test_bytes_that_are_no_zeromq_are_survived(port):
    with Broker() as broker, serving(broker):
        host, number = getattr(broker, port)[len("tcp://") :].split(":")
        source = random.Random(2)
        greeting = b"\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL" + b"\0" * 48
        for index in range(30):
            with socket.create_connection((host, int(number)), timeout=WAIT_S) as raw:
                with contextlib.suppress(OSError):
                    raw.sendall(source.randbytes(200) if index % 2 else greeting + source.randbytes(300))
                    if index % 3 == 0:  # reset, not closed
                        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert Client(broker).call()["ok"]


def test_routing_ids_of_their_own_are_refused():
    with Broker() as broker, serving(broker, "good"):
        for identity in (b"till-1", b"\x01234"):
            stranger = broker.context.socket(zmq.DEALER)
            broker.sockets.append(stranger)
            stranger.linger = 0
            stranger.setsockopt(zmq.ROUTING_ID, identity)
            curve.protect(stranger)
            stranger.connect(broker.client_endpoint)
            stranger.send_multipart([msgpack.packb({"v": 1, "id": 77, "method": "order.quote"}), b"\x80"])
            assert stranger.poll(WAIT_S * 1000)
            header, body = stranger.recv_multipart()
            assert msgpack.unpackb(header)["id"] == 77
            assert code_of(msgpack.unpackb(body)) == "invalid_request"
        worker = broker.context.socket(zmq.DEALER)
        broker.sockets.append(worker)
        worker.linger = 0
        worker.setsockopt(zmq.ROUTING_ID, b"worker-1")
        curve.protect(worker)
        worker.connect(broker.worker_endpoint)
        worker.send(msgpack.packb([VERSION, HELLO, 5, 10, "named"]))
        wait_until(lambda: "routing id of its own" in broker.log_text(), WAIT_S, "the log's line")
        assert Client(broker).call()["ok"]


# --- the end ---


def test_drain_finishes_what_is_there():
    with Broker() as broker:
        client, worker = Client(broker), Worker(broker, credit=2)
        sent = [client.send() for _ in range(4)]
        worker.gather(2)
        assert client.stats()["queue"]["waiting"] == 2
        broker.signal(signal.SIGTERM)
        wait_until(lambda: client.stats()["draining"], WAIT_S, "the drain")
        assert code_of(client.call()) == "busy"
        worker.answer()
        worker.gather(2)
        worker.answer()
        for request_id in sent:
            assert client.receive(request_id)["ok"]
        assert broker.wait() == 0
        while worker.take(1000):
            pass
        assert worker.resets == [4]


def test_a_second_signal_stops_at_once_and_everybody_is_told():
    with Broker() as broker:
        client, worker = Client(broker), Worker(broker, credit=1)
        in_work = client.send()
        worker.gather(1)
        waiting = client.send()
        wait_until(lambda: client.stats()["queue"]["waiting"] == 1, WAIT_S, "the queue")
        broker.signal(signal.SIGTERM)
        wait_until(lambda: client.stats()["draining"], WAIT_S, "the drain")
        broker.signal(signal.SIGTERM)
        assert code_of(client.receive(in_work)) == "worker_lost"
        assert code_of(client.receive(waiting)) == "busy"
        assert broker.wait() == 0


def test_draining_has_a_bound():
    with Broker(drain_ms_max=500, worker_timeout_ms=60000) as broker:
        client, worker = Client(broker), Worker(broker, credit=1)
        sent = client.send(ttl_ms=600000)
        worker.gather(1)
        broker.signal(signal.SIGINT)
        assert code_of(client.receive(sent)) == "worker_lost"
        assert broker.wait() == 0


def test_an_idle_broker_stops_without_delay():
    with Broker() as broker:
        broker.signal(signal.SIGTERM)
        assert broker.wait() == 0


# --- the command ---


def run(*options):
    return subprocess.run([program("loyalty-broker"), *options], capture_output=True, text=True, timeout=WAIT_S,
                          env=environment())  # fmt: skip


def test_help_and_version():
    shown = run("--help")
    assert shown.returncode == 0 and "--listen" in shown.stdout and "client_requests_max" in shown.stdout
    assert run("--version").stdout.startswith("loyalty-broker ")


@pytest.mark.parametrize(
    "options",
    [["--nonsense"], ["extra"], ["--listen"], ["--log", "loud"], ["--config", "/nonexistent"], ["--listen", "x" * 300]],
)
def test_wrong_usage_is_exit_2(options):
    done = run(*options)
    assert done.returncode == 2 and done.stderr


def test_an_open_port_without_keys_needs_a_word():
    done = run("--listen", "tcp://*:*", "--workers", "tcp://127.0.0.1:*")
    assert done.returncode == 1 and "--insecure" in done.stderr
    done = run("--listen", "tcp://127.0.0.1:*", "--workers", "tcp://0.0.0.0:*")
    assert done.returncode == 1 and "--insecure" in done.stderr
    with Broker("--listen", "tcp://*:*", "--insecure") as broker:
        assert "0.0.0.0" in broker.client_endpoint


def test_a_port_in_use_is_told():
    with Broker() as broker:
        done = run("--listen", broker.client_endpoint, "--workers", "tcp://127.0.0.1:*")
        assert done.returncode == 1 and broker.client_endpoint in done.stderr


def test_ipc_works_too():
    folder = tempfile.mkdtemp(prefix="loyalty-ipc-")
    try:
        with Broker("--listen", f"ipc://{folder}/c", "--workers", f"ipc://{folder}/w") as broker, serving(broker):
            assert broker.client_endpoint == f"ipc://{folder}/c"
            assert Client(broker).call()["ok"]
    finally:
        shutil.rmtree(folder)
