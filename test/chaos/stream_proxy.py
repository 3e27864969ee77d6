"""A piece of network of the tests' own, between any two ends that speak over TCP or a UNIX socket: it can be slow, drop
everything without a word, break connections, refuse them, or close one direction only. It knows nothing of what is said."""

import collections
import os
import pathlib
import selectors
import socket
import struct
import threading
import time

CHUNK, BACKLOG_MAX = 1 << 16, 1 << 20  # bytes; of what is under way one direction holds at most so many
TURN_S = 0.02


def address_of(endpoint):
    """(family, address) of tcp://host:port, ipc://path or a path."""
    if endpoint.startswith("tcp://"):
        host, _, port = endpoint[len("tcp://") :].rpartition(":")
        return socket.AF_INET, (host, int(port))
    return socket.AF_UNIX, endpoint.removeprefix("ipc://")


class Flow:
    """One direction of a connection: what was read and is not yet due."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.chunks = collections.deque()  # (due, bytes); b"" is the end of the stream
        self.size = 0
        self.ended = False  # the source said its last

    @property
    def is_readable(self):
        return not self.ended and self.size < BACKLOG_MAX

    def read(self, due):
        data = self.source.recv(CHUNK)
        self.chunks.append((due, data))
        self.size += len(data)
        self.ended = not data

    def write(self, now):
        """Passes on what is due; as much as the target takes."""
        while self.chunks and self.chunks[0][0] <= now:
            due, data = self.chunks.popleft()
            if not data:
                self.target.shutdown(socket.SHUT_WR)
                return
            try:
                sent = self.target.send(data)
            except BlockingIOError:
                sent = 0
            self.size -= sent
            if sent < len(data):
                self.chunks.appendleft((due, data[sent:]))
                return


class StreamProxy:
    """``with StreamProxy(target) as proxy:`` connections to `proxy.endpoint` go to the target."""

    def __init__(self, target, listen="tcp://127.0.0.1:0"):
        self.target = target
        self.listen = listen
        self.delay_s = 0.0  # in each direction
        self.frozen = False
        self.refusing = False
        self.links = []  # pairs of flows
        self.lock = threading.RLock()
        self.over = False
        self.listener = None
        self.inode = 0  # of the listener's file
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._open()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()
        with self.lock:
            self._close_listener()
            self._cut()

    @property
    def endpoint(self):
        family, address = self.address
        return f"tcp://{address[0]}:{address[1]}" if family == socket.AF_INET else f"ipc://{address}"

    # What can be done to it

    def cut(self):
        """Breaks every connection; new ones are taken."""
        with self.lock:
            self._cut()

    def freeze(self):
        """Nothing comes through any more, in either direction, and nobody is told: as a network that drops every packet.
        Nothing is lost in the end either, as TCP sends again."""
        self.frozen = True

    def thaw(self):
        self.frozen = False

    def refuse(self):
        """Nobody listens any more, and connections break."""
        with self.lock:
            self._close_listener()
            self._cut()

    def accept(self):
        """Listens again."""
        with self.lock:
            self._open()

    def half_close(self):
        """Ends what comes from those who connected, as if they had said their last; the way back stays open."""
        with self.lock:
            for outward, _ in self.links:
                if not outward.ended:
                    outward.ended = True
                    outward.chunks.append((0.0, b""))

    @property
    def connections(self):
        return len(self.links)

    # How

    def _open(self):
        family, address = address_of(self.listen)
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(address)
        if family == socket.AF_UNIX:
            os.chmod(address, 0o777)
            self.inode = os.stat(address).st_ino
        self.listener.listen(256)
        self.listener.setblocking(False)
        self.address = family, self.listener.getsockname()
        if family == socket.AF_INET:
            self.listen = self.endpoint  # the same port when it listens again

    def _close_listener(self):
        if self.listener is None:
            return
        self.listener.close()
        self.listener = None
        family, path = self.address
        if family == socket.AF_UNIX and self._is_own(path):
            os.unlink(path)

    def _is_own(self, path):
        """Whether the file of the socket is the one made here: a server that was started again has made its own."""
        try:
            return os.stat(path).st_ino == self.inode
        except FileNotFoundError:
            return False

    def _cut(self):
        for flows in self.links:
            self._end(flows)
        self.links = []

    @staticmethod
    def _end(flows):
        for flow in flows:
            try:  # with a reset, as from a machine that knows nothing of the connection
                flow.source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass
            flow.source.close()

    def _run(self):
        while not self.over:
            selector = selectors.PollSelector()
            with self.lock:
                timeout = self._register(selector)
            ready = {key.fileobj for key, _ in selector.select(timeout)}
            with self.lock:
                if not self.frozen:
                    self._turn(ready)

    def _register(self, selector):
        """What is to be read, and how long to wait for it: not beyond the moment at which something delayed comes due."""
        if self.frozen:
            return TURN_S
        if self.listener is not None:
            selector.register(self.listener, selectors.EVENT_READ)
        due = [time.monotonic() + TURN_S]
        for flow in (flow for flows in self.links for flow in flows):
            if flow.is_readable:
                selector.register(flow.source, selectors.EVENT_READ)
            if flow.chunks:
                due.append(max(flow.chunks[0][0], time.monotonic() + 0.001))
        return max(0.0, min(due) - time.monotonic())

    def _turn(self, ready):
        now = time.monotonic()
        if self.listener in ready:
            self._accept()
        for flows in list(self.links):
            try:
                for flow in flows:
                    if flow.source in ready and flow.is_readable:
                        flow.read(now + self.delay_s)
                    flow.write(now)
                is_over = all(flow.ended and not flow.chunks for flow in flows)
            except OSError:
                is_over = True
            if is_over:
                self._end(flows)
                self.links.remove(flows)

    def _accept(self):
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        family, address = address_of(self.target)
        server = socket.socket(family)
        try:
            server.connect(address)
        except OSError:
            client.close()
            server.close()
            return
        for end in (client, server):
            end.setblocking(False)
            if end.family == socket.AF_INET:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.links.append((Flow(client, server), Flow(server, client)))


class ProxyInPlace(StreamProxy):
    """Takes the place of a server's UNIX socket: its file is moved aside, and back in the end. What was connected before
    stays so."""

    def __init__(self, path):
        self.path = pathlib.Path(path.removeprefix("ipc://"))
        self.real = self.path.with_name(self.path.name + ".real")
        super().__init__(f"ipc://{self.real}", f"ipc://{self.path}")

    def __enter__(self):
        self.path.rename(self.real)
        try:
            return super().__enter__()
        except BaseException:
            self.real.rename(self.path)
            raise

    def __exit__(self, *_):
        super().__exit__()
        if self.path.exists():  # the server was started again meanwhile
            self.real.unlink()
        else:
            self.real.rename(self.path)
