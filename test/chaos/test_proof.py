"""The proof that nothing is lost, in its short form: proof.py says what it is."""

from proof import prove
from subscribers import PYTHON, C
from world import IS_LONG, report

SECONDS, RATE, BETWEEN_S = (600, 5000, (0.5, 5.0)) if IS_LONG else (10, 400, (0.3, 1.5))


def test_everything_dies_and_nothing_is_lost(seed):
    figures = prove(SECONDS, RATE, seed, programs=(C, C, C) if IS_LONG else (C, C, PYTHON), between_s=BETWEEN_S)
    print(figures)
    report(f"proof: {sum(figures['faults'].values())} times kill -9 in {figures['seconds']} s", f"{figures['requests']} requests, "
           f"{figures['events']} events, no answer for {figures['no_answer_s_max']} s")  # fmt: skip
