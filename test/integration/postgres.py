"""PostgreSQL servers of a test's own, and standbys of them: started without root's rights, reached by sockets in a temporary
folder, ended with the test.

    with Servers() as servers:
        primary = servers.primary(synchronous=True)
        standby = servers.standby(primary)
        with Engine("--database", servers.url()) as engine:
            primary.kill()
            standby.promote()
"""

import atexit
import functools
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

import psycopg2

from harness import environment, temporary_folder, wait_until

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "wal_level": "replica",
    "max_wal_senders": "10",
    "wal_keep_size": "256MB",
    "hot_standby": "on",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "lc_messages": "C",
    "autovacuum_naptime": "20s",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "200ms",
    "fsync": "off",  # processes are killed, never the machine
}


@functools.cache
def programs():
    """The folder of the newest PostgreSQL's programs."""
    folders = [path for path in pathlib.Path("/usr/lib/postgresql").glob("*/bin") if (path / "postgres").exists()]
    if folders:
        return max(folders, key=lambda path: int(path.parent.name))
    return pathlib.Path(shutil.which("postgres")).parent


@functools.cache
def user():
    """Whom PostgreSQL runs as: it refuses root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("there is no user that PostgreSQL could run as")


def as_user():
    """Arguments of subprocess for a process of that user."""
    if os.geteuid() != 0:
        return {}
    return {"user": user().pw_uid, "group": user().pw_gid, "extra_groups": []}


@functools.cache
def new_cluster():
    """A folder as initdb leaves it: made once, then copied."""
    folder = temporary_folder()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    server = Server(folder, "new")
    server.run("initdb", "-D", server.data, "-U", "owner", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
    return server.data


class Server:
    """One server. Its folder holds `data`, `log` and the socket."""

    def __init__(self, folder, name):
        self.name = name
        self.folder = folder / name
        self.data = self.folder / "data"
        self.port = 5432  # of the socket's name; of TCP where `listen_addresses` says so
        self.owner = "owner"
        self.process = None
        self.folder.mkdir()
        self.folder.chmod(0o755)
        shutil.chown(self.folder, user().pw_uid, user().pw_gid)

    def run(self, name, *arguments, **options):
        """Runs one of PostgreSQL's programs to its end."""
        done = subprocess.run(
            [str(programs() / name), *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, cwd="/", env=environment(), **as_user(), **options,
        )
        assert done.returncode == 0, f"{name}: {done.stdout}"
        return done.stdout

    def init(self):
        subprocess.run(["cp", "-a", "--reflink=auto", str(new_cluster()), str(self.data)], check=True)
        self.configure(**SETTINGS)

    def configure(self, **settings):
        """Adds settings; they are in force after a start or `reload`."""
        lines = "".join("%s = '%s'\n" % (name, value.replace("'", "''")) for name, value in settings.items())
        with open(self.data / "postgresql.conf", "a") as file:
            file.write(f"{lines}unix_socket_directories = '{self.folder}'\nport = {self.port}\n")

    def start(self, *options):
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(
                [str(programs() / "postgres"), "-D", str(self.data), *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=environment(), start_new_session=True, **as_user(),
            )
        wait_until(self.answers, 60, f"server {self.name}: {self.log()}")
        return self

    def log(self):
        try:
            return (self.folder / "log").read_text(errors="replace")[-2000:]
        except OSError:
            return ""

    def answers(self):
        assert self.process.poll() is None, f"server {self.name} ended: {self.log()}"
        try:
            self.query("SELECT 1", database="postgres")
            return True
        except psycopg2.OperationalError:
            return False

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def processes(self):
        """The server and its children."""
        pid = self.process.pid
        try:
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            children = []
        return [pid, *map(int, children)]

    def signal_all(self, number):
        for pid in self.processes():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def pause(self):
        """The whole machine hangs."""
        self.signal_all(signal.SIGSTOP)

    def resume(self):
        self.signal_all(signal.SIGCONT)

    def kill(self):
        """The whole machine is gone."""
        self.signal_all(signal.SIGKILL)
        self.process.wait(30)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.signal_all(signal.SIGCONT)
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def url(self, database="loyalty", user=None):
        return f"host={self.folder} port={self.port} dbname={database} user={user or self.owner}"

    def connect(self, database="loyalty", user=None):
        connection = psycopg2.connect(self.url(database, user), connect_timeout=5)
        connection.autocommit = True
        return connection

    def query(self, sql, parameters=None, database="loyalty"):
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def promote(self):
        self.query("SELECT pg_promote(true, 60)", database="postgres")

    def position(self):
        """How far its log is written (of a standby: replayed)."""
        return self.query(
            "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END::text",
            database="postgres",
        )[0][0]


class Servers:
    """A primary and its standbys."""

    def __init__(self):
        self.folder = temporary_folder()
        self.list = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.list:
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def add(self):
        server = Server(self.folder, "abcdefgh"[len(self.list)])
        self.list.append(server)
        return server

    def primary(self, **settings):
        """A new server with an empty database."""
        server = self.add()
        server.init()
        server.configure(**settings)
        server.start()
        server.query("CREATE DATABASE loyalty", database="postgres")
        return server

    def standby(self, primary, start=True, **settings):
        """A standby that follows it; where it is started: has caught up."""
        server = self.add()
        server.run("pg_basebackup", "-D", server.data, "-d", f"host={primary.folder} user=owner", "-R", "-X", "stream", "-c", "fast", "--no-sync")
        server.configure(primary_conninfo=f"host={primary.folder} user=owner application_name={server.name}", **settings)
        (server.data / "postgresql.auto.conf").write_text("")
        if start:
            server.start()
            self.wait_for(server, primary)
        return server

    def wait_for(self, standby, primary):
        """Until the standby follows the primary's log as it is written."""
        wait_until(
            lambda: primary.query("SELECT 1 FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'", (standby.name,), "postgres"),
            60, f"{standby.name} to follow {primary.name}: {standby.log()}",
        )

    def url(self, *servers, **options):
        """One connection string for several servers."""
        hosts = ",".join(str(server.folder) for server in servers or self.list)
        return f"host={hosts} dbname=loyalty user=owner target_session_attrs=read-write" + "".join(f" {k}={v}" for k, v in options.items())
