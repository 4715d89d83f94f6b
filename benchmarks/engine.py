"""What the engine costs beside the simulations: a cell, a look-up, a command that has nothing to do.

The cells are trivial (one row), so all that is measured is overhead. fsync is timed apart, for it is the disk's.
Run: python benchmarks/engine.py
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from resodectl.engine.executors import InProcess, Pool
from resodectl.engine.run import Execution, run, tasks
from resodectl.engine.store import Store
from resodectl.engine.worker import Task
from resodectl.experiment import catalogue
from resodectl.recipe.load import load
from resodectl.runs.plan import cells

CELLS = 1_000
LOOKED_UP = 10_000
SPEC = """
from resodectl.experiment.columns import Column
from resodectl.experiment.choices import Dtype
from resodectl.experiment.settings import Settings

SEED_BLOCK = 1

class Params(Settings):
    numbers: int
    seeds: int = 1

class Point(Settings):
    number: int
    dtype: Dtype = "float64"

LOG = {"rows": (Column("number", "int64", "", "the number"), Column("seed", "int64", "", "seed"))}

def cells(params):
    return [Point(number=number) for number in range(params.numbers)]
"""
SIMULATION = """
def simulate(cell, context):
    yield "rows", {"seed": list(cell.seeds)}
"""
RECIPE = f"""
family: trivial
paper: none
figure: none
title: nothing
experiment: trivial/nothing
params: {{numbers: {CELLS}}}
profiles: {{}}
claims: [{{claim: nothing, says: nothing, within: [0, 1], control: {{set: {{numbers: 1}}, because: nothing}}}}]
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plugin = folder / "families/trivial/nothing"
        plugin.mkdir(parents=True)
        (plugin / "spec.py").write_text(SPEC)
        (plugin / "simulation.py").write_text(SIMULATION)
        (folder / "trivial.yaml").write_text(RECIPE)
        catalogue.add_plugins(folder / "families")
        recipe = load(folder / "trivial.yaml")

        def planned(store: str) -> list[Task]:
            return tasks(cells(recipe), Execution(folder / store))

        list(run(planned("warm")[:10], InProcess()))
        started = time.perf_counter()
        planned("plan")
        print(f"planning {CELLS} cells: {(time.perf_counter() - started) / CELLS * 1e3:.2f} ms a cell")
        synced = fsync_cost(folder / "fsync")
        print(f"two fsyncs of a small file and its folder: {synced * 1e3:.2f} ms")
        for what, executor in (("in process", InProcess()), ("pool of 2", Pool(2))):
            waiting = planned(what)
            list(run(waiting[:4], executor))
            started = time.perf_counter()
            for outcome in run(waiting[4:], executor):
                assert outcome.error is None, outcome.error
            each = (time.perf_counter() - started) / (CELLS - 4)
            print(f"{what}: {each * 1e3:.2f} ms a cell, about {synced * 1e3:.2f} ms of it fsync (bar: 5 ms + fsync)")
            executor.stop()
        look_up(folder / "many")
    commands()


def fsync_cost(folder: Path) -> float:
    """Seconds of the fsyncs that one cell needs, by the median of 50."""
    folder.mkdir()
    costs = []
    for index in range(50):
        with open(folder / str(index), "wb") as file:
            file.write(b"x" * 3000)
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            descriptor = os.open(folder, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
            costs.append(time.perf_counter() - started)
    return sorted(costs)[len(costs) // 2]


def look_up(folder: Path) -> None:
    addresses = [hashlib.sha256(str(index).encode()).hexdigest() for index in range(LOOKED_UP)]
    for address in addresses:
        (folder / address[:2]).mkdir(parents=True, exist_ok=True)
        (folder / address[:2] / f"{address}.{address}.parquet").touch()
    started = time.perf_counter()
    assert len(Store(folder).find(addresses)) == LOOKED_UP
    print(f"looking up {LOOKED_UP} stored cells: {time.perf_counter() - started:.3f} s (bar: 1 s)")


def commands() -> None:
    for args, bar in ((["--help"], 0.25), (["list"], 0.5)):
        times = []
        for _ in range(7):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-m", "resodectl", *args], capture_output=True, check=True)
            times.append(time.perf_counter() - started)
        print(f"resodectl {' '.join(args)}: {sorted(times)[3]:.2f} s, median of 7 (bar: {bar} s)")
    print("a run in which all is stored: see the end of `make figures` called twice (bar: 3 s)")


if __name__ == "__main__":
    main()
