"""Runs an engine (`loyalty up`) for tests, in a temporary folder, and gives handles to all of it.

    with Engine(buckets=8) as engine:
        engine.call("admin.health")
        engine.kill_worker(1)

LOYALTY_BUILD names the build folder (default: build). Everything that was started ends with the engine, and
a program's complaint about memory or undefined behaviour in a log fails the test that stops it.
"""

import atexit
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import curve

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LOYALTY_BUILD", ROOT / "build")).resolve()
sys.path.insert(0, str(ROOT / "clients" / "python"))

START_S = 120  # the sanitizers' programs on a busy machine
COMPLAINT = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:|Assertion .* failed")


def environment():
    """For programs of the build: without what the test run itself preloads, and complaints on standard error."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("LOYALTY_")}
    env.pop("LD_PRELOAD", None)
    env["ASAN_OPTIONS"] = "detect_leaks=1:abort_on_error=0"
    env["UBSAN_OPTIONS"] = "print_stacktrace=1"
    env["TSAN_OPTIONS"] = f"suppressions={ROOT}/test/support/threads.supp"
    return env


def program(name):
    """The path of a built program."""
    path = BUILD / "bin" / name
    assert path.exists(), f"{path} is not there: build it, or set LOYALTY_BUILD"
    return str(path)


def loyalty(*arguments, stdin=None, env=None, timeout=120):
    """Runs the `loyalty` command to its end: a CompletedProcess with text output."""
    done = subprocess.run(
        [program("loyalty"), *map(str, arguments)],
        input=stdin,
        env=dict(environment(), **(env or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=timeout,
    )
    assert not COMPLAINT.search(done.stderr), done.stderr
    return done


def temporary_folder():
    """A folder that PostgreSQL's own user can enter too, where the tests run as root."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="loyalty-test-"))
    folder.chmod(0o755)
    return folder


def wait_until(condition, seconds, what):
    """Polls until `condition` returns something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def process_exists(pid):
    """Whether a process runs (one that has ended and waits to be collected does not)."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


_new_folders = {}  # data folders that were started once, by the options of the first start


def copy_new_folder(first_options, target):
    """Makes a data folder as the first `loyalty up` with these options leaves it: made once, then copied, since
    making a database takes longer than most tests."""
    if first_options not in _new_folders:
        folder = temporary_folder()
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        with Engine(*first_options, data=folder / "data") as engine:
            assert engine.call("admin.health")
        for name in ("endpoint", "port", "up.json"):
            (folder / "data" / name).unlink(missing_ok=True)
        shutil.rmtree(folder / "data" / "log")
        _new_folders[first_options] = folder / "data"
    subprocess.run(["cp", "-a", "--reflink=auto", str(_new_folders[first_options]), str(target)], check=True)


class Engine:
    """An engine of its own. ``options`` are further arguments of `loyalty up`; ``data`` its data folder, where it
    is not to have a temporary one, made by a first start of its own; ``jobs``: the schedule runs background jobs, which
    would come at any time of a test; ``own_keys``: it has keys in its data folder; ``keys``: it
    has those of all tests."""

    def __init__(self, *options, buckets=1, workers=2, brokers=1, feeds=1, currency="EUR", time_zone="UTC", data=None,
                 jobs=False, own_keys=False, keys=curve.IS_ON):  # fmt: skip
        self.folder = temporary_folder()
        self.data = pathlib.Path(data) if data else self.folder / "data"
        self.log = self.folder / "up.log"
        first_options = ("--buckets", str(buckets), "--currency", currency, "--time-zone", time_zone)
        if data is None and "--database" not in options:
            copy_new_folder(first_options, self.data)
        if own_keys:
            curve.KeyRing(self.data / "keys").make("first", "admin")
        self.arguments = [program("loyalty"), "up", "--data", str(self.data), "--workers", str(workers), "--brokers", str(brokers), "--feeds", str(feeds), *first_options]
        if "--listen" not in options:
            self.arguments += ["--listen", ",".join(["tcp://127.0.0.1:*"] * brokers)]
        if keys and "--keys" not in options and not (self.data / "keys").exists():
            self.arguments += ["--keys", str(curve.common_ring().list)]
        self.arguments += options
        if not jobs:
            self.arguments.append("--no-jobs")
        self.buckets = buckets
        self.workers = workers
        self.process = None
        self.output = []
        self._clients = []
        self._pids = set()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.destroy()
            raise

    def __exit__(self, kind, *_):
        try:
            self.stop()
        except Exception:
            if kind is None:
                raise
        finally:
            self.destroy()

    # Starting and stopping

    def start(self):
        """Starts it and waits until it serves, with all of its workers (`ready` needs one of them to answer)."""
        self.output = []
        ready = threading.Event()
        with open(self.log, "a") as errors:
            self.process = subprocess.Popen(
                self.arguments, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment(), start_new_session=True
            )

        def read(stream):
            for line in stream:
                self.output.append(line.rstrip("\n"))
                if line.startswith("ready "):
                    ready.set()
            ready.set()

        threading.Thread(target=read, args=(self.process.stdout,), daemon=True).start()
        assert ready.wait(START_S), "the engine was not ready in time:\n" + self.logs()
        assert any(line.startswith("ready ") for line in self.output), "the engine did not start:\n" + self.logs()
        self._pids.update(self.processes().values())
        self._wait_for_workers()
        return self

    def _wait_for_workers(self):
        from loyalty_client import Client

        for endpoint in self.endpoints:
            with Client(endpoint, **self.client_options()) as client:
                wait_until(
                    lambda client=client: len(client.call("admin.stats")["workers"]) >= self.workers,
                    START_S, "all workers to say hello",
                )  # fmt: skip

    def stop(self, timeout=90):
        """Stops it as Ctrl-C would, and checks that nothing complained or was left."""
        self.close_clients()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        if self.process is not None:
            code = self.process.wait(timeout)
            assert code == 0, f"loyalty up ended with {code}:\n{self.logs()}"
            assert not self.left_over(), f"left running: {self.left_over()}"
        complaints = [line for line in self.logs(None).splitlines() if COMPLAINT.search(line)]
        assert not complaints, "\n".join(complaints[:10]) + "\n" + self.logs()

    def kill(self):
        """kill -9 of `loyalty up` itself; what it ran goes with it. Waits until all is gone."""
        self._pids.update(self.processes().values())
        self.close_clients()
        self.process.kill()
        self.process.wait()
        wait_until(lambda: not self.left_over(), 30, "the end of what loyalty up ran")

    def left_over(self):
        """Processes of the engine that still run."""
        return [pid for pid in self._pids if pid and process_exists(pid)]

    def destroy(self):
        """Ends whatever still runs, and removes the folder."""
        self.close_clients()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        end = time.monotonic() + 20
        while self.left_over() and time.monotonic() < end:
            time.sleep(0.05)
        for pid in self.left_over():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def logs(self, last=40):
        """The ends of all its logs (`last` lines of each; None: all)."""
        text = []
        for path in [self.log, *sorted(self.data.glob("log/*.log"))]:
            if path.exists():
                lines = path.read_text(errors="replace").splitlines()
                text += [f"--- {path.name}"] + (lines if last is None else lines[-last:])
        return "\n".join(text)

    # What runs

    def up(self):
        """What `loyalty up` says about itself: pid, endpoint, worker_endpoint, database, processes."""
        return json.loads((self.data / "up.json").read_text())

    @property
    def endpoint(self):
        """Of all brokers, separated by commas, as clients take it."""
        return (self.data / "endpoint").read_text().strip()

    @property
    def endpoints(self):
        """Of each broker."""
        return self.endpoint.split(",")

    @property
    def worker_endpoint(self):
        return self.up()["worker_endpoint"]

    @property
    def feed_endpoints(self):
        """Where each feed publishes."""
        return self.up()["feed_endpoints"]

    @property
    def database(self):
        return self.up()["database"]

    def processes(self):
        """Process ids by name: postgresql, broker, worker-1, … (0: not running at the moment)."""
        try:
            return self.up()["processes"]
        except (OSError, ValueError):
            return {}

    def signal(self, name, number):
        """Sends a signal to one of the processes; returns its pid."""
        pid = self.processes()[name]
        self._pids.add(pid)
        os.kill(pid, number)
        return pid

    def kill_process(self, name):
        """kill -9 of one of the processes; returns when it is gone."""
        pid = self.signal(name, signal.SIGKILL)
        wait_until(lambda: not process_exists(pid), 10, f"the end of {name}")
        return pid

    def kill_worker(self, number):
        return self.kill_process(f"worker-{number}")

    def kill_feed(self, number):
        return self.kill_process(f"feed-{number}")

    def leading_feed(self):
        """The number of the feed that leads."""
        name = self.query("SELECT leader FROM feed_leader")[0][0].split()[0]
        return int(name.removeprefix("feed-")) if name else None

    def pause(self, name):
        """Stops a process in mid-work, as a machine that hangs would (SIGSTOP)."""
        return self.signal(name, signal.SIGSTOP)

    def resume(self, name):
        return self.signal(name, signal.SIGCONT)

    def wait_for_new(self, name, old_pid, seconds=30):
        """Waits until a process that was killed runs again; returns its pid."""

        def new():
            pid = self.processes().get(name)
            return pid if pid and pid != old_pid else None

        pid = wait_until(new, seconds, f"{name} to be started again")
        self._pids.add(pid)
        return pid

    # Talking to it

    def client_options(self):
        """Arguments for a Python client: the key of the engine's own commands, where it has keys."""
        key = self.up().get("key")
        return {"key_file": key} if key else {}

    def client(self, endpoint=None, **options):
        """A Python client, closed with the engine."""
        from loyalty_client import Client

        client = Client(endpoint or self.endpoint, **{**self.client_options(), **options})
        self._clients.append(client)
        return client

    def call(self, method, body=None, timeout=10, **options):
        """One request through a client that is kept for this."""
        if not self._clients:
            self.client()
        return self._clients[0].call(method, body, timeout=timeout, **options)

    def close_clients(self):
        for client in self._clients:
            client.close()
        self._clients = []

    def command(self, name, *arguments, **options):
        """Runs a `loyalty` command on this engine."""
        return loyalty(name, *arguments, "--data", self.data, **options)

    def db(self):
        """A connection to its database, as the owner (psycopg2)."""
        import psycopg2

        return psycopg2.connect(self.database)

    def query(self, sql, parameters=None):
        """Rows of a query; what it changes is committed."""
        connection = self.db()
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def fsck(self):
        """The result of `loyalty fsck --json`."""
        done = self.command("fsck", "--json")
        assert done.returncode in (0, 1) and done.stdout, done.stderr
        result = json.loads(done.stdout.splitlines()[-1])
        assert "error" not in result, result
        assert result["ok"] == (done.returncode == 0)
        return result

    def assert_ledger_holds(self):
        """fsck finds nothing."""
        result = self.fsck()
        findings = [(check["name"], finding) for check in result["checks"] for finding in check["findings"]]
        assert result["ok"] and not findings, findings[:10]
        return result
