#!/usr/bin/python3
"""The soak: orders at one rate for half an hour, and what grows meanwhile: memory, file descriptors, tables, the feed's lag,
latency minute by minute. At the end the ledger is proved.

    test/chaos/soak.py [--minutes 30] [--rate 5000] [--workers 2] [--plot FILE.svg]

The last line is JSON: each figure at the first and the last third of the time. Nothing here fails on a figure: what is flat is for the
reader to say (docs/reliability.md).
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from harness import Engine, loyalty  # noqa: E402

SAMPLE_S = 5
MINUTE_S = 60
COLOURS = ["#1b6ca8", "#d1495b", "#3c8d40", "#e09f3e", "#6b4c9a", "#444444", "#00a6a6", "#a0522d"]
SIZES = """
    SELECT CASE WHEN i.inhparent IS NULL THEN c.relname ELSE i.inhparent::regclass::text END,
           sum(pg_total_relation_size(c.oid))::bigint, coalesce(sum(s.n_dead_tup), 0)::bigint
    FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1"""
LAG = "SELECT coalesce(extract(epoch FROM now() - min(recorded_at)), 0)::float FROM outbox"


def children(pid):
    """The process and all below it."""
    found = [pid]
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            continue
        if parent == pid:
            found.append(int(path.parent.name))
    return found


def own_kib(pid):
    """Memory that is the process's own: what PostgreSQL shares counts for nobody."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1])
    return 0


def sample(engine, started):
    """One look at everything: figures by the name of their line in a plot."""
    found = {"at": time.monotonic() - started}
    for name, pid in engine.processes().items():
        if not pid:
            continue
        family = children(pid) if name == "postgresql" else [pid]
        memory = descriptors = 0
        for member in family:
            try:
                memory += own_kib(member)
                descriptors += len(os.listdir(f"/proc/{member}/fd"))
            except OSError:
                continue  # it ended just now
        found[f"memory {name}"] = memory / 1024
        found[f"descriptors {name}"] = descriptors
    for table, size, dead in engine.query(SIZES):
        found[f"size {table}"] = size / 2**20
        found[f"dead {table}"] = dead
    found["lag feed"] = engine.query(LAG)[0][0] * 1000
    return found


class Watch(threading.Thread):
    """Takes samples until it is stopped."""

    def __init__(self, engine):
        super().__init__(daemon=True)
        self.engine, self.samples, self.started, self.over = engine, [], time.monotonic(), threading.Event()

    def run(self):
        while not self.over.wait(SAMPLE_S):
            self.samples.append(sample(self.engine, self.started))

    def stop(self):
        self.over.set()
        self.join()


def minute(engine, rate):
    """A minute of orders: the bench's figures."""
    done = loyalty("bench", "--data", engine.data, "--rate", rate, "--seconds", MINUTE_S - 5, "--json", timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def thirds(values):
    """Medians of the first and of the last third."""
    size = max(1, len(values) // 3)
    return [round(statistics.median(values[:size]), 2), round(statistics.median(values[-size:]), 2)]


# ---- the plot: plain SVG


def lines_of(samples, kind):
    """{name: [(minute, value)]} of the figures of one kind, the largest eight."""
    names = {key for found in samples for key in found if key.startswith(kind + " ")}
    lines = {name[len(kind) + 1 :]: [(found["at"] / 60, found[name]) for found in samples if name in found] for name in names}
    return dict(sorted(lines.items(), key=lambda line: -max(value for _, value in line[1]))[: len(COLOURS)])


def panel(title, lines, left, top, width, height):
    """One diagram, from zero."""
    most_x = max((x for line in lines.values() for x, _ in line), default=1) or 1
    most_y = max((y for line in lines.values() for _, y in line), default=1) or 1
    out = [f'<text x="{left}" y="{top - 6}" font-weight="bold">{title}</text>',
           f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#999"/>',
           f'<text x="{left - 4}" y="{top + 10}" text-anchor="end">{most_y:.4g}</text>',
           f'<text x="{left - 4}" y="{top + height}" text-anchor="end">0</text>',
           f'<text x="{left + width}" y="{top + height + 13}" text-anchor="end">{most_x:.0f} min</text>']  # fmt: skip
    for place, (name, line) in enumerate(lines.items()):
        points = " ".join(f"{left + x / most_x * width:.1f},{top + height - y / most_y * height:.1f}" for x, y in line)
        out.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[place]}" stroke-width="1.5"/>')
        out.append(f'<text x="{left + width + 8}" y="{top + 12 + 14 * place}" fill="{COLOURS[place]}">{name}</text>')
    return "\n".join(out)


def plot(path, samples, minutes):
    latency = {name: [(index + 1, figures[name]) for index, figures in enumerate(minutes)] for name in ("p50_ms", "p99_ms")}
    panels = [("latency by the minute, ms", latency), ("memory of its own, MiB", lines_of(samples, "memory")),
              ("file descriptors", lines_of(samples, "descriptors")), ("tables with indexes, MiB", lines_of(samples, "size")),
              ("dead rows", lines_of(samples, "dead")), ("the oldest change not yet on the feed, ms", lines_of(samples, "lag"))]  # fmt: skip
    height = 130
    body = [panel(title, lines, 70, 30 + place * (height + 45), 560, height) for place, (title, lines) in enumerate(panels)]
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="820" height="{30 + len(panels) * (height + 45)}" '
        'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def soak(minutes, rate, workers, plot_path):
    with Engine(workers=workers, jobs=True) as engine:
        minute(engine, rate)  # the bench's cards, its catalog and full caches
        watch = Watch(engine)
        watch.start()
        figures = []
        try:
            for number in range(minutes):
                figures.append(minute(engine, rate))
                print(f"minute {number + 1}: {figures[-1]['orders_per_s']} orders/s, p50 {figures[-1]['p50_ms']} ms, "
                      f"p99 {figures[-1]['p99_ms']} ms, errors {figures[-1]['errors']}", flush=True)  # fmt: skip
        finally:
            watch.stop()
        ledger = engine.fsck()
        orders = sum(figure["orders"] for figure in figures)
    if plot_path:
        plot(pathlib.Path(plot_path), watch.samples, figures)
    names = sorted({name for found in watch.samples for name in found if name != "at"})
    grown = {name: thirds([found[name] for found in watch.samples if name in found]) for name in names}
    return {
        "minutes": minutes, "rate": rate, "orders": orders, "errors": sum(figure["errors"] for figure in figures), "ledger": ledger["ok"],
        "p50_ms": thirds([figure["p50_ms"] for figure in figures]), "p99_ms": thirds([figure["p99_ms"] for figure in figures]),
        **{name: figure for name, figure in grown.items() if any(figure)},
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--plot", help="an SVG file to draw")
    options = parser.parse_args()
    print(json.dumps(soak(options.minutes, options.rate, options.workers, options.plot)))


if __name__ == "__main__":
    main()
