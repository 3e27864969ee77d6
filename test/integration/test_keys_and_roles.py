"""CURVE keys and roles: who comes in, what he may do, and how that ends."""

import json
import os
import pathlib
import random
import signal
import socket
import stat
import subprocess
import time

import msgpack
import pytest
import zmq

from client_faces import FACES, skip_where_not_loadable
from curve import KeyRing, read_key, set_keys
from harness import Engine, environment, loyalty, program, wait_until
from loyalty_client import METHODS, Client, LoyaltyError, Unauthenticated
from shop import line, new_partner, order, promotion
from test_broker import HELLO, RESET, VERSION, WAIT_S, Broker, Worker, code_of, run, serving
from test_broker import Client as Peer

ROLES = ("till", "odoo", "monitor", "admin", "worker")
REFUSED_KEY, REFUSED_WORKER = "unauthenticated", 7


class Ring(KeyRing):
    """A key of each role, named after it."""

    def __init__(self):
        super().__init__()
        for role in ROLES:
            self.make(role, role)


@pytest.fixture(scope="module")
def rings():
    """A ring made once, whose list the tests copy."""
    return Ring()


@pytest.fixture
def ring(rings, folder):
    """A ring of one test's own: the keys of `rings` in another folder."""
    copy = KeyRing(folder)
    for path in rings.folder.iterdir():
        if path.is_file():
            target = copy.folder / path.name
            target.write_bytes(path.read_bytes())
            target.chmod(stat.S_IMODE(path.stat().st_mode))
    return copy


class KeyedBroker(Broker):
    """A broker with a ring's keys. Sockets show `shows`, or a worker's key at the workers' port."""

    def __init__(self, ring, *options, **settings):
        self.ring = ring
        self.shows = "admin"
        super().__init__(*options, **settings)

    def keys(self):
        return ["--keys", str(self.ring.list)]

    def protect(self, socket, endpoint):
        name = "worker" if endpoint == self.worker_endpoint and self.shows != "nothing" else self.shows
        if name != "nothing":
            set_keys(socket, name if "/" in name else self.ring.file(name))

    def peer(self, shows):
        """A client that shows a key: its name in the ring, its file, or "nothing"."""
        self.shows = shows
        try:
            return Peer(self)
        finally:
            self.shows = "admin"

    def raw(self, endpoint, key):
        """A DEALER with a key's file, or None."""
        dealer = self.context.socket(zmq.DEALER)
        dealer.linger = 0
        if key is not None:
            set_keys(dealer, key)
        dealer.connect(endpoint)
        self.sockets.append(dealer)
        return dealer

    def reload(self):
        """Tells it to read the list again, and returns when it did, one way or the other."""
        said = self.log_text().count("list of keys was read again") + self.log_text().count("keys stay as they are")
        self.signal(signal.SIGHUP)
        wait_until(
            lambda: self.log_text().count("list of keys was read again") + self.log_text().count("keys stay as they are") > said,
            WAIT_S, "the list to be read again",
        )  # fmt: skip


@pytest.fixture
def broker(ring):
    with KeyedBroker(ring) as one:
        yield one


def counters(broker):
    return broker.peer("admin").stats()["counters"]


def hears_nothing(dealer, frames, wait_ms=600):
    dealer.send_multipart(frames)
    return not dealer.poll(wait_ms)


def request(method="admin.stats"):
    return [msgpack.packb({"v": VERSION, "id": 1, "method": method}), b"\x80"]


# --- roles ---


def test_every_role_may_call_the_methods_of_its_row_and_no_others(broker):
    with serving(broker):
        for role in ROLES[:-1]:
            peer = broker.peer(role)
            sent = {method: peer.send(method) for method in METHODS}
            for method, request_id in sent.items():
                reply = peer.receive(request_id)
                may = role in METHODS[method]["roles"]
                assert reply["ok"] if may else code_of(reply) == "forbidden", (role, method, reply)


def test_a_key_with_two_roles_may_do_what_either_may(broker, ring):
    ring.make("both", "till,monitor")
    broker.reload()
    with serving(broker):
        peer = broker.peer("both")
        sent = {method: peer.send(method) for method in METHODS}
        for method, request_id in sent.items():
            may = {"till", "monitor"} & set(METHODS[method]["roles"])
            reply = peer.receive(request_id)
            assert reply["ok"] if may else code_of(reply) == "forbidden", (method, reply)


# --- identity ---


def test_identity_is_the_key_of_the_connection_and_nothing_that_is_claimed(broker):
    till = broker.peer("till")
    claims = {"user": "admin", "roles": 15, "User-Id": "admin", "affinity": 7}
    assert code_of(till.call("program.put", body=msgpack.packb(claims), **claims)) == "forbidden"
    worker = Worker(broker)
    till.send("order.quote", body=msgpack.packb(claims), **claims)
    control = worker.wait_for(18)
    assert control[5] == 1 and control[6] == "till", "the worker is told the key's name and roles"


def test_a_routing_id_gives_nobody_another_name(broker, ring):
    victim = broker.peer("admin")
    victim_stats = victim.stats()
    assert victim_stats["counters"]["received"] >= 1
    thief = broker.context.socket(zmq.DEALER)
    broker.sockets.append(thief)
    thief.linger = 0
    thief.setsockopt(zmq.ROUTING_ID, b"admin")
    set_keys(thief, ring.file("till"))
    thief.connect(broker.client_endpoint)
    thief.send_multipart(request("program.put"))
    assert thief.poll(WAIT_S * 1000)
    assert code_of(msgpack.unpackb(thief.recv_multipart()[1])) == "invalid_request"


def test_the_figures_name_clients_by_their_keys(broker):
    Worker(broker, credit=0)
    till = broker.peer("till")
    till.send()
    admin = broker.peer("admin")
    wait_until(lambda: admin.stats()["queue"]["waiting"] == 1, WAIT_S, "the request")
    assert [client["user"] for client in admin.stats()["clients"]] == ["till"]


# --- who comes in ---


@pytest.mark.parametrize("port", ["client_endpoint", "worker_endpoint"])
def test_without_a_listed_key_nobody_comes_in(broker, ring, port):
    endpoint = getattr(broker, port)
    wrong_server = KeyRing().make("stranger", "admin,worker")
    unlisted = str(ring.folder / "unlisted.key")
    ring.run("make", "gone", "--roles", "admin,worker", "--out", unlisted)
    ring.run("revoke", "gone")
    broker.reload()
    hello = [msgpack.packb([VERSION, HELLO, 5, 10, "x"])]
    for key in (None, wrong_server, unlisted):
        dealer = broker.raw(endpoint, key)
        assert hears_nothing(dealer, request() if port == "client_endpoint" else hello)
        dealer.close(0)
    figures = counters(broker)
    assert figures["handshakes_refused"] >= 1, "the key that was revoked"
    assert figures["handshakes_broken"] >= 2, "the one without CURVE, and the one for another server"
    assert figures["workers_joined"] == 0
    assert "not listed" in broker.log_text()


@pytest.mark.parametrize("role", ["till", "odoo", "monitor", "admin"])
def test_a_client_has_no_business_at_the_workers_port(broker, ring, role):
    hello = [msgpack.packb([VERSION, HELLO, 5, 10, "x"])]
    assert hears_nothing(broker.raw(broker.worker_endpoint, ring.file(role)), hello)
    assert broker.peer("admin").stats()["workers"] == []
    assert f"the roles of {role} do not open the workers' port" in broker.log_text()


def test_a_worker_has_no_business_at_the_clients_port(broker, ring):
    assert hears_nothing(broker.raw(broker.client_endpoint, ring.file("worker")), request())


def test_refusals_are_counted_and_logged_at_a_bounded_rate(broker, ring):
    stranger = str(ring.folder / "x.key")
    ring.run("make", "x", "--roles", "till", "--out", stranger)
    ring.run("revoke", "x")
    broker.reload()
    for _ in range(60):
        broker.raw(broker.client_endpoint, stranger)
    admin = broker.peer("admin")
    wait_until(lambda: admin.stats()["counters"]["handshakes_refused"] >= 60, WAIT_S, "all to be refused")
    uptime_s = admin.stats()["uptime_ms"] / 1000
    assert broker.log_text().count("a connection was refused") <= uptime_s + 2


def test_garbage_on_the_port_is_counted_and_harms_nobody(broker):
    host, number = broker.client_endpoint[len("tcp://") :].split(":")
    source = random.Random(4)
    greeting = b"\xff\0\0\0\0\0\0\0\1\x7f\3\0CURVE" + b"\0" * 47
    garbage = (lambda: source.randbytes(200), lambda: greeting + source.randbytes(400), lambda: greeting)
    for index in range(30):
        with socket.create_connection((host, int(number)), timeout=WAIT_S) as raw:
            raw.sendall(garbage[index % 3]())
    admin = broker.peer("admin")
    wait_until(lambda: admin.stats()["counters"]["handshakes_broken"] >= 5, WAIT_S, "the garbage to be counted")
    with serving(broker):
        assert broker.peer("till").call()["ok"]


def test_frames_in_clear_behind_a_curve_greeting_are_no_message(broker):
    """Whoever speaks CURVE in the greeting and sends its messages in clear gets nowhere."""
    host, number = broker.client_endpoint[len("tcp://") :].split(":")
    received = broker.peer("admin").stats()["counters"]["received"]
    with socket.create_connection((host, int(number)), timeout=WAIT_S) as raw:
        raw.sendall(b"\xff\0\0\0\0\0\0\0\1\x7f\3\0" + b"CURVE".ljust(20, b"\0") + b"\0" * 32)
        raw.sendall(b"".join(bytes([i == 0, len(frame)]) + frame for i, frame in enumerate(request())))
        raw.settimeout(WAIT_S)
        while raw.recv(4096):
            pass
    assert broker.peer("admin").stats()["counters"]["received"] == received + 1


# --- what the clients say ---


@pytest.mark.parametrize("kind", sorted(FACES))
@pytest.mark.parametrize("shows", ["an unknown key", "a role of another port", "no key"])
def test_a_client_that_is_refused_says_so_and_does_not_wait(broker, ring, kind, shows):
    if shows == "an unknown key":
        unknown = str(ring.folder / "unknown.key")
        ring.run("make", "unknown", "--roles", "till", "--out", unknown)
        ring.run("revoke", "unknown")
        options = {"key_file": unknown}
    else:
        options = {"key_file": ring.file("worker")} if shows == "a role of another port" else {}
    broker.reload()
    client = FACES[kind]([broker.client_endpoint], timeout=WAIT_S, **options)
    begin = time.monotonic()
    with pytest.raises(client.Error) as failed:
        client.call("admin.stats")
    assert failed.value.code == "unauthenticated" and broker.client_endpoint in str(failed.value)
    assert ("has none" if shows == "no key" else "unknown or revoked") in str(failed.value)
    assert time.monotonic() - begin < WAIT_S / 2, "it did not wait for its deadline"
    client.close()


@pytest.mark.parametrize("kind", sorted(FACES))
def test_a_wrong_server_key_is_said_at_the_deadline(broker, kind):
    client = FACES[kind]([broker.client_endpoint], timeout=2.0, key_file=KeyRing().make("till", "till"))
    with pytest.raises(client.Error) as failed:
        client.call("admin.stats")
    assert failed.value.code == "unavailable" and "the server key may be wrong" in str(failed.value)
    client.close()


@pytest.mark.parametrize("kind", sorted(FACES))
def test_a_broker_that_refuses_does_not_keep_a_client_from_the_next(broker, ring, kind):
    other = Ring()  # the same server key, another list
    (other.folder / "server.key").write_bytes((ring.folder / "server.key").read_bytes())
    with KeyedBroker(other) as strict:
        client = FACES[kind]([strict.client_endpoint, broker.client_endpoint], timeout=WAIT_S, in_order=True, key_file=ring.file("till"))
        assert client.call("admin.stats")["version"]
        client.close()
        assert "is not listed" in strict.log_text()


@pytest.mark.parametrize("kind", sorted(FACES))
@pytest.mark.parametrize("fault", ["missing", "open to others", "the server's own", "text"])
def test_a_key_file_that_is_none_is_refused_at_once(ring, kind, fault):
    path = pathlib.Path(ring.file("till"))
    if fault == "missing":
        path.unlink()
    elif fault == "open to others":
        path.chmod(0o644)
    elif fault == "text":
        path.write_text("something else\n")
    else:
        path = ring.folder / "server.key"
    with pytest.raises(FACES[kind].Error) as failed:
        FACES[kind](["tcp://127.0.0.1:1"], key_file=str(path))
    assert failed.value.code == "invalid_request" and "key_file" in str(failed.value)


# --- revoking and rotating ---


def test_revoked_is_refused_at_once_on_open_connections(broker, ring):
    with serving(broker):
        till, other = broker.peer("till"), broker.peer("odoo")
        assert till.call()["ok"] and other.call()["ok"]
        ring.run("revoke", "till")
        broker.reload()
        for method in ("order.quote", "admin.stats", "no.method"):
            assert code_of(till.call(method)) == REFUSED_KEY
        assert other.call()["ok"], "the others go on"
        assert other.stats()["errors"][REFUSED_KEY] == 3
        assert hears_nothing(broker.raw(broker.client_endpoint, ring.file("till")), request())


def test_a_role_that_is_taken_away_is_gone_at_once(broker, ring):
    odoo = broker.peer("odoo")
    text = ring.list.read_text()
    ring.list.write_text(text.replace('roles = "odoo"', 'roles = "till"'))
    broker.reload()
    assert code_of(odoo.call("program.put")) == "forbidden"


def test_a_revoked_worker_loses_its_session_and_its_requests_go_to_another(broker, ring):
    ring.make("worker-2", "worker")
    broker.reload()
    first = Worker(broker, "first")
    till = broker.peer("till")
    sent = till.send()
    first.gather(1)
    ring.run("revoke", "worker")
    broker.reload()
    first.wait_for(RESET)
    assert first.resets == [REFUSED_WORKER]
    ring.folder.joinpath("worker.key").write_bytes(ring.folder.joinpath("worker-2.key").read_bytes())
    with serving(broker, "second"):
        assert till.receive(sent)["result"]["worker"] == "second"
        first.answer()  # too late, and not from one of us
        first.wait_for(RESET)
        assert broker.peer("admin").stats()["counters"]["workers_joined"] == 2


def test_rotation_goes_without_an_interruption(broker, ring):
    with serving(broker):
        old_file = str(ring.folder / "till-old.key")
        pathlib.Path(old_file).write_bytes(pathlib.Path(ring.file("till")).read_bytes())
        os.chmod(old_file, 0o600)
        open_connection = broker.peer("till")
        assert open_connection.call()["ok"]
        assert ring.run("rotate", "till")["old_key_good"] is True
        broker.reload()
        assert open_connection.call()["ok"] and broker.peer("till").call()["ok"] and broker.peer(old_file).call()["ok"]
        assert ring.run("rotate", "till", "--finish")["old_key_good"] is False
        broker.reload()
        assert code_of(open_connection.call()) == REFUSED_KEY, "it was made with the old key"
        assert hears_nothing(broker.raw(broker.client_endpoint, old_file), request())
        assert broker.peer("till").call()["ok"]


def test_rotated_now_the_old_key_is_good_no_longer(broker, ring):
    till = broker.peer("till")
    assert till.stats()
    assert ring.run("rotate", "till", "--now")["old_key_good"] is False
    broker.reload()
    assert code_of(till.call()) == REFUSED_KEY
    assert broker.peer("till").stats()


@pytest.mark.parametrize(
    "text, said",
    [
        ("till\n    roles = tilly\n", 'line 2: there is no role "tilly"'),
        ("\t\nnonsense nonsense\n", "line 2"),
        ("till\n    public-key = short\n", "line 2: not a CURVE key"),
        (None, "No such file"),
        ("#\n" * 4_500_000, "it is too large"),
    ],
    ids=["role", "form", "key", "missing", "large"],
)
def test_a_list_with_a_mistake_leaves_the_old_one_in_force(broker, ring, text, said):
    till = broker.peer("till")
    assert till.stats()
    if text is None:
        ring.list.unlink()
    else:
        ring.list.write_text(text)
    broker.reload()
    assert till.stats() and broker.peer("odoo").stats()
    line_said = next(line for line in broker.log_text().splitlines() if "the keys stay as they are" in line)
    assert said in line_said and str(ring.list) in line_said


@pytest.mark.parametrize("name", ["keys.conf", "server.key"])
def test_a_broker_does_not_start_without_its_keys(ring, name):
    (ring.folder / name).unlink()
    done = run("--listen", "tcp://127.0.0.1:*", "--workers", "tcp://127.0.0.1:*", "--keys", str(ring.list))
    assert done.returncode == 1 and name in done.stderr


def test_a_server_key_that_others_can_read_is_refused(ring):
    (ring.folder / "server.key").chmod(0o604)
    done = run("--listen", "tcp://127.0.0.1:*", "--workers", "tcp://127.0.0.1:*", "--keys", str(ring.list))
    assert done.returncode == 1 and "others can read" in done.stderr


def test_with_keys_a_port_may_be_open_to_other_machines(ring):
    with KeyedBroker(ring, "--listen", "tcp://0.0.0.0:*") as one:
        one.client_endpoint = one.client_endpoint.replace("0.0.0.0", "127.0.0.1")
        assert one.peer("till").stats()


# --- the worker ---


def start_worker(broker, *options, env=None):
    return subprocess.Popen(
        [program("loyalty-worker"), "--broker", broker.worker_endpoint, "--database", "postgresql:///nowhere?host=/nowhere",
         *options],
        stdout=subprocess.DEVNULL, stderr=open(broker.folder / "worker.log", "w"), env=dict(environment(), **(env or {})),
    )  # fmt: skip


@pytest.mark.parametrize("shows, said", [("nothing", "has none"), ("till", "refuses this side's key"), ("worker", None)])
def test_a_worker_comes_in_with_a_workers_key_only(broker, ring, shows, said):
    options = [] if shows == "nothing" else ["--key-file", ring.file(shows)]
    worker = start_worker(broker, *options)
    try:
        if said:
            wait_until(lambda: said in (broker.folder / "worker.log").read_text(), WAIT_S, "the worker to say why")
            assert counters(broker)["workers_joined"] == 0 and worker.poll() is None
        else:
            admin = broker.peer("admin")
            wait_until(lambda: admin.stats()["counters"]["workers_joined"] == 1, WAIT_S, "the worker")
    finally:
        worker.kill()
        worker.wait()


def test_a_worker_whose_key_is_listed_later_comes_in_by_itself(broker, ring):
    text = ring.list.read_text()
    ring.run("revoke", "worker")
    broker.reload()
    worker = start_worker(broker, env={"LOYALTY_KEY": ring.file("worker")})
    try:
        wait_until(lambda: "refuses this side's key" in (broker.folder / "worker.log").read_text(), WAIT_S, "the refusal")
        ring.list.write_text(text)
        broker.reload()
        admin = broker.peer("admin")
        wait_until(lambda: admin.stats()["counters"]["workers_joined"] == 1, WAIT_S, "the worker")
    finally:
        worker.kill()
        worker.wait()


def test_a_worker_whose_key_file_is_none_does_not_start(broker, ring):
    os.chmod(ring.file("worker"), 0o640 if os.geteuid() else 0o644)
    worker = start_worker(broker, "--key-file", ring.file("worker"))
    assert worker.wait(WAIT_S) == 1
    assert "others can read" in (broker.folder / "worker.log").read_text()


# --- the whole engine ---


@pytest.fixture(scope="module")
def keyed_engine():
    """An engine whose data folder has keys."""
    with Engine(workers=1, own_keys=True) as engine:
        yield engine


def engine_keys(engine, *arguments):
    done = engine.command("keys", *arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_an_engine_with_keys_in_its_folder_serves_those_who_have_one(keyed_engine):
    till = engine_keys(keyed_engine, "make", "till-7", "--roles", "till")
    assert till["told"] >= 1, "the broker was told"
    with Client(keyed_engine.endpoint, key_file=till["file"]) as client:
        assert client.order_process(order(new_partner(), line(1, 2, "5.00")))["amount_total"] == "10.00"
    with Client(keyed_engine.endpoint, timeout=WAIT_S) as stranger, pytest.raises(Unauthenticated):
        stranger.call("admin.health")
    assert keyed_engine.command("call", "admin.health").returncode == 0, "whoever may read the data folder has a key"
    done = loyalty("call", "admin.health", "--endpoint", keyed_engine.endpoint)
    assert done.returncode == 1 and "unauthenticated" in done.stdout
    done = loyalty("call", "admin.health", "--endpoint", keyed_engine.endpoint, env={"LOYALTY_KEY": till["file"]})
    assert done.returncode == 0


def test_a_till_neither_changes_programs_nor_gives_points(keyed_engine):
    till, odoo = (engine_keys(keyed_engine, "make", f"{role}-p", "--roles", role)["file"] for role in ("till", "odoo"))
    partner = new_partner()
    with Client(keyed_engine.endpoint, key_file=till) as client:
        assert client.order_process(order(partner, line(1, 1, "10.00")))["amount_total"] == "10.00"
        for method, body in (
            ("program.put", promotion(1, 100)),
            ("card.adjust", {"card_id": 1, "points": "1000.00", "reason": "why not"}),
            ("member.forget", {"partner_id": partner}),
            ("job.run", {"job": "expire"}),
        ):
            with pytest.raises(LoyaltyError) as refused:
                client.call(method, body)
            assert refused.value.code == "forbidden" and method in refused.value.message
    with Client(keyed_engine.endpoint, key_file=odoo) as client:
        assert client.call("program.put", promotion(1, 10))["catalog_version"]
        client.call("program.delete", {"program_id": 1})
    keyed_engine.assert_ledger_holds()


def test_revoking_on_a_running_engine_is_at_once(keyed_engine):
    key = engine_keys(keyed_engine, "make", "till-8", "--roles", "till")["file"]
    with Client(keyed_engine.endpoint, key_file=key, timeout=WAIT_S) as client:
        assert client.call("admin.health")
        engine_keys(keyed_engine, "revoke", "till-8")

        def is_refused():
            try:
                client.call("admin.health")
            except Unauthenticated:
                return True

        wait_until(is_refused, WAIT_S, "the refusal")
    assert "till-8" not in [key["name"] for key in engine_keys(keyed_engine, "list")["keys"]]


def follower(engine, key, feed):
    """A SUB socket with a key, and its messages' topics as they come."""
    subscriber = zmq.Context.instance().socket(zmq.SUB)
    subscriber.linger = 0
    set_keys(subscriber, key)
    subscriber.setsockopt(zmq.SUBSCRIBE, b"")
    subscriber.connect(feed)
    return subscriber


def test_the_feed_takes_monitors_and_no_tills_and_drops_who_is_revoked(keyed_engine):
    feed = keyed_engine.up()["feed_endpoints"][0]
    keys = {role: engine_keys(keyed_engine, "make", f"{role}-f", "--roles", role)["file"] for role in ("monitor", "odoo", "till")}
    sockets = {role: follower(keyed_engine, key, feed) for role, key in keys.items()}
    try:
        for role in ("monitor", "odoo"):
            assert sockets[role].poll(WAIT_S * 1000), f"{role} hears the feed"
        assert not sockets["till"].poll(1500)
        engine_keys(keyed_engine, "revoke", "monitor-f")

        def is_silent():
            while sockets["monitor"].poll(0):
                sockets["monitor"].recv_multipart()
            return not sockets["monitor"].poll(2500)

        wait_until(is_silent, WAIT_S, "the revoked one to hear no more")
        while sockets["odoo"].poll(0):
            sockets["odoo"].recv_multipart()
        assert sockets["odoo"].poll(WAIT_S * 1000), "the other came back"
    finally:
        for one in sockets.values():
            one.close(0)


def test_no_secret_is_in_logs_process_lists_or_figures(keyed_engine):
    engine_keys(keyed_engine, "make", "till-9", "--roles", "till")
    engine_keys(keyed_engine, "rotate", "till-9")
    secrets = [read_key(path)["secret-key"] for path in (keyed_engine.data / "keys").glob("*.key")]
    assert len(secrets) >= 5
    shown = [keyed_engine.logs(None), "\n".join(keyed_engine.output), json.dumps(keyed_engine.up())]
    shown.append(json.dumps(keyed_engine.call("admin.stats")))
    shown.append((keyed_engine.data / "keys" / "keys.conf").read_text())
    for pid in [keyed_engine.process.pid, *keyed_engine.processes().values()]:
        for name in ("cmdline", "environ"):
            shown.append(pathlib.Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace"))
    for text in shown:
        assert not [secret for secret in secrets if secret in text]


def test_up_refuses_to_listen_elsewhere_without_keys(folder):
    done = loyalty("up", "--data", folder / "data", "--listen", "tcp://0.0.0.0:*", "--json")
    assert done.returncode == 1 and "--insecure" in done.stdout and "keys" in done.stdout


# --- the command ---


def test_keys_are_files_of_their_owner_alone(folder):
    done = loyalty("keys", "make", "till-1", "--roles", "till", "--data", folder / "data")
    assert done.returncode == 0 and "till-1.key" in done.stdout
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder / "data" / "keys").iterdir()}
    assert modes["till-1.key"] == modes["server.key"] == 0o600
    assert stat.S_IMODE((folder / "data" / "keys").stat().st_mode) == 0o700
    assert "secret" not in (folder / "data" / "keys" / "keys.conf").read_text().replace("nothing here is secret", "")


def test_list_tells_names_roles_and_public_keys(ring):
    listed = {key["name"]: key for key in ring.run("list")["keys"]}
    assert {name: key["roles"] for name, key in listed.items()} == {role: role for role in ROLES}
    assert listed["till"]["public_key"] == read_key(ring.file("till"))["public-key"]
    done = loyalty("keys", "list", "--keys", ring.list)
    assert done.returncode == 0 and all(role in done.stdout for role in ROLES)


@pytest.mark.parametrize(
    "arguments, code",
    [
        (["make", "till", "--roles", "till"], "conflict"),
        (["make", "server", "--roles", "till"], "invalid_request"),
        (["make", "a b", "--roles", "till"], "invalid_request"),
        (["make", "../../x", "--roles", "till"], "invalid_request"),
        (["make", "x", "--roles", "king"], "invalid_request"),
        (["revoke", "nobody"], "not_found"),
        (["rotate", "nobody"], "not_found"),
        (["rotate", "till", "--finish"], "conflict"),
        (["make", "x", "--roles", "till", "--out", "/nonexistent/x.key"], "unavailable"),
    ],
)
def test_what_cannot_be_done_changes_nothing(ring, arguments, code):
    before = {path.name: path.read_bytes() for path in ring.folder.iterdir()}
    done = loyalty("keys", *arguments, "--keys", ring.list, "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["error"]["code"] == code
    assert {path.name: path.read_bytes() for path in ring.folder.iterdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [[], ["make"], ["make", "x"], ["list", "x"], ["revoke"], ["fly"], ["make", "a", "b", "--roles", "till"],
     ["revoke", "till", "--roles", "till"], ["list", "--now"], ["rotate", "till", "--now", "--finish"]],
)  # fmt: skip
def test_wrong_usage_is_exit_2(ring, arguments):
    assert loyalty("keys", *arguments, "--keys", ring.list).returncode == 2


def test_commands_at_once_lose_no_key(ring):
    started = [
        subprocess.Popen([program("loyalty"), "keys", "make", f"n-{number}", "--roles", "till", "--keys", str(ring.list)],
                         stdout=subprocess.DEVNULL, env=environment())
        for number in range(12)
    ]  # fmt: skip
    assert [one.wait(WAIT_S) for one in started] == [0] * 12
    assert {f"n-{number}" for number in range(12)} <= {key["name"] for key in ring.run("list")["keys"]}
