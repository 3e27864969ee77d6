"""CURVE keys for tests. With LOYALTY_CURVE=1 every engine that the harness starts has keys, and its clients show one
that may do everything; without, none has. What is about keys themselves makes a KeyRing of its own, either way."""

import atexit
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import zmq

IS_ON = os.environ.get("LOYALTY_CURVE") == "1"
EVERYTHING = "till,odoo,monitor,admin,worker"


class KeyRing:
    """A list of keys in a folder of its own, changed by `loyalty keys`."""

    def __init__(self, folder=None):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="loyalty-keys-"))
        self.list = self.folder / "keys.conf"  # made by the command with the first key
        if folder is None:
            atexit.register(shutil.rmtree, self.folder, ignore_errors=True)

    def run(self, *arguments):
        """Runs the command: its result as JSON."""
        from harness import environment, program

        done = subprocess.run(
            [program("loyalty"), "keys", *arguments, "--keys", str(self.list), "--json"],
            capture_output=True, text=True, env=environment(), timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def make(self, name, roles):
        """Makes a key; returns the file of its secret."""
        return self.run("make", name, "--roles", roles)["file"]

    def file(self, name):
        return str(self.folder / f"{name}.key")


def read_key(path):
    """The fields of a secret key's file."""
    lines = [line.split(" = ", 1) for line in pathlib.Path(path).read_text().splitlines() if " = " in line]
    return {name: value.strip('"') for name, value in lines}


def set_keys(socket, path):
    """Makes a socket that is to connect speak CURVE with the keys in a file."""
    key = read_key(path)
    socket.setsockopt(zmq.CURVE_SERVERKEY, key["server-key"].encode())
    socket.setsockopt(zmq.CURVE_PUBLICKEY, key["public-key"].encode())
    socket.setsockopt(zmq.CURVE_SECRETKEY, key["secret-key"].encode())


_ring = None


def common_ring():
    """The keys of all engines of this test run, made when first asked for; processes started later find it too."""
    global _ring
    if _ring is None:
        known = os.environ.get("LOYALTY_TEST_KEYS")
        _ring = KeyRing(known)
        if not known:
            os.environ["LOYALTY_TEST_KEYS"] = str(_ring.folder)
            _ring.make("test", EVERYTHING)
    return _ring


def key_file():
    """The key of the tests' own clients; None where engines have no keys."""
    return common_ring().file("test") if IS_ON else None


def client_options():
    """Arguments for a Python client of an engine."""
    return {"key_file": key_file()} if IS_ON else {}


def command_environment():
    """Variables for a `loyalty` command that is told an engine's endpoint."""
    return {"LOYALTY_KEY": key_file()} if IS_ON else {}


def protect(socket):
    """The tests' key for a raw socket, where engines have keys."""
    if IS_ON:
        set_keys(socket, key_file())
