"""Stands between an engine's workers and its PostgreSQL, message by message, so that a test can act at the very
instant at which a worker holds its locks, or has committed and not yet heard of it; and can take the database away.

It takes the server's place on its socket: the socket's file is renamed, and the proxy listens under the old name.
https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

import os
import pathlib
import signal
import socket
import struct
import threading
import urllib.parse

from harness import wait_until

SERVER, WORKER = "server", "worker"  # who sent a message
READY_IDLE, READY_IN_TRANSACTION = b"Z\0\0\0\5I", b"Z\0\0\0\5T"


class Link:
    """One connection of a worker, and ours to the server for it."""

    def __init__(self, proxy, client):
        self.proxy = proxy
        self.client = client
        self.pid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        self.application = None
        self.wrote_order = False  # in the transaction under way, or the one just committed
        self.flowing = threading.Event()
        self.flowing.set()
        self.server = socket.socket(socket.AF_UNIX)
        self.server.connect(str(proxy.real))

    @property
    def is_batch(self):
        return self.application == "loyalty-worker batch"

    def run(self):
        threading.Thread(target=self.pump, args=(self.server, self.client, SERVER), daemon=True).start()
        self.pump(self.client, self.server, WORKER)

    def pump(self, source, target, sender):
        """Passes on whole messages."""
        pending, started = b"", sender == SERVER
        try:
            while chunk := source.recv(65536):
                pending += chunk
                while message := self.first_message(pending, started):
                    pending = pending[len(message) :]
                    if not started:
                        self.read_startup(message)
                        started = True
                    elif self.proxy.hooks:
                        self.proxy.look(self, sender, message)
                    self.flowing.wait()
                    self.proxy.flowing.wait()
                    target.sendall(message)
        except OSError:
            pass
        self.close()

    @staticmethod
    def first_message(pending, started):
        """The first whole message; empty when there is none yet. That which starts a connection has no type."""
        head = 1 if started else 0
        if len(pending) < head + 4:
            return b""
        size = head + struct.unpack_from("!I", pending, head)[0]
        return pending[:size] if len(pending) >= size else b""

    def read_startup(self, message):
        words = message[8:].split(b"\0")
        self.application = dict(zip(words[::2], words[1::2])).get(b"application_name", b"").decode()

    def close(self):
        for end in (self.client, self.server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.proxy.links.discard(self)
        self.flowing.set()


def socket_of(engine):
    """The socket of an engine's PostgreSQL."""
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(engine.database).query)
    return pathlib.Path(query["host"][0]) / ".s.PGSQL.5432"


class PgProxy:
    """``with PgProxy(engine) as proxy:`` all new connections of the engine's workers go through it."""

    def __init__(self, engine):
        self.engine = engine
        self.path = socket_of(engine)
        self.real = self.path.with_name("real")
        self.links = set()
        self.hooks = []
        self.flowing = threading.Event()
        self.flowing.set()
        self.listener = None
        self.acted_on = None  # process id of the worker at which the last instant came

    def __enter__(self):
        os.rename(self.path, self.real)
        try:
            self.open()
            self.force_through()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.hooks = []
        self.flowing.set()
        self.refuse()
        if self.real.exists():
            os.rename(self.real, self.path)

    def open(self):
        """Takes connections (again)."""
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        os.chmod(self.path, 0o777)
        self.listener.listen(32)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                link = Link(self, client)
            except OSError:
                client.close()
                continue
            self.links.add(link)
            threading.Thread(target=link.run, daemon=True).start()

    def refuse(self):
        """The database is gone: connections break, new ones are refused."""
        if self.listener is not None:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
            self.path.unlink(missing_ok=True)
        for link in list(self.links):
            link.close()

    def freeze(self):
        """The database says nothing any more, as behind a network that is down."""
        self.flowing.clear()

    def thaw(self):
        self.flowing.set()

    def force_through(self):
        """Ends the workers' sessions, and asks until each has a batch connection through here."""
        sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'loyalty-worker%'"
        workers = {pid for name, pid in self.engine.processes().items() if name.startswith("worker-")}
        client = self.engine.client(timeout=2)
        partner = iter(range(2 * 10**9, 3 * 10**9))

        def through():
            try:
                body = {"partner_id": next(partner), "program_id": 1, "points": "1", "reason": "none"}
                client.call("card.adjust", body)  # refused, as there is no card, by a transaction
            except Exception:
                pass
            return workers <= {link.pid for link in list(self.links) if link.is_batch}

        self.query(sql)
        wait_until(through, 20, "the workers to connect through the proxy")

    def query(self, sql):
        """On the real socket, whatever the proxy does."""
        import psycopg2

        connection = psycopg2.connect(self.engine.database.replace("/loyalty?", "/postgres?"), host=self.real_folder())
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()
        finally:
            connection.close()

    def real_folder(self):
        """A folder in which the real socket has the name that libpq wants."""
        folder = self.path.parent / "beside"
        folder.mkdir(exist_ok=True)
        link = folder / self.path.name
        if not link.is_symlink():
            link.symlink_to(self.real)
        return str(folder)

    # Acting at an instant

    def look(self, link, sender, message):
        if sender == WORKER and message[:1] == b"B" and message[5:].startswith(b"\0ORDERS_INSERT\0"):
            link.wrote_order = True
        for hook in list(self.hooks):
            hook(link, sender, message)
        if sender == SERVER and message == READY_IDLE:
            link.wrote_order = False

    def once(self, matches, act):
        """When a message of a batch connection comes for which `matches(link, sender, message)`, calls `act(link)` before
        it is passed on, once. Returns an Event that is set then."""
        happened = threading.Event()
        lock = threading.Lock()

        def hook(link, sender, message):
            if not link.is_batch or not matches(link, sender, message):
                return
            with lock:
                if happened.is_set():
                    return
                self.hooks.remove(hook)
                self.acted_on = link.pid
                act(link)
                happened.set()

        self.hooks.append(hook)
        return happened

    def kill_once(self, matches):
        """kill -9 of the worker to or from which such a message comes."""
        return self.once(matches, lambda link: os.kill(link.pid, signal.SIGKILL))

    def stop_once(self, matches):
        """SIGSTOP of it. It stands still before the message is passed on."""
        return self.once(matches, lambda link: stop(link.pid))

    def hold_once(self, matches):
        """Passes on nothing more of that connection until `release`."""
        return self.once(matches, lambda link: link.flowing.clear())

    def release(self):
        for link in list(self.links):
            link.flowing.set()


def stop(pid):
    """SIGSTOP of a process, and waits until all of its threads have stopped: one of them takes the signal, when it gets to
    run, and the others go on until then."""
    os.kill(pid, signal.SIGSTOP)
    tasks = pathlib.Path(f"/proc/{pid}/task")
    wait_until(lambda: all(state(task) == "T" for task in tasks.iterdir()), 10, "a process to stop")


def state(task):
    """The state of a thread, as in proc(5): behind its name, which may hold anything."""
    return (task / "stat").read_text().rpartition(")")[2].split()[0]


def is_begun(link, sender, message):
    """The worker's first word of a transaction."""
    return sender == WORKER and message[:1] == b"B" and message[5:].startswith(b"\0BEGIN\0")


def has_locks(link, sender, message):
    """The server's word that all was locked and read: ready, in a transaction."""
    return sender == SERVER and message == READY_IN_TRANSACTION


def is_half_written(link, sender, message):
    """The worker's insert of an order, with other writes of its transaction behind it and COMMIT to come."""
    return sender == WORKER and link.wrote_order


def has_committed(link, sender, message):
    """The server's word that the COMMIT of an order is done."""
    return sender == SERVER and message[:1] == b"C" and message[5:] == b"COMMIT\0" and link.wrote_order
