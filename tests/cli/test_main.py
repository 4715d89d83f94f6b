"""The command line as a person meets it: overview, exit codes, one-sentence errors, nothing half-written."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PLUGINS = str(Path(__file__).parents[1] / "plugins")
HEAVY = {"torch", "pandas", "matplotlib", "scipy", "sklearn", "seaborn", "pyarrow", "numpy"}


def imported_by(*args: str) -> set[str]:
    code = f"import sys; sys.argv = ['resodectl', *{args!r}]\nfrom resodectl.cli.main import _exit_code\n"
    code += "_exit_code(); print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("args", [["--help"], ["run", "--help"], ["heun", "--help"], ["list"]])
def test_help_and_list_import_nothing_heavy(args: list[str]) -> None:
    assert imported_by(*args) & HEAVY == set()


def test_the_overview_has_families_and_commands(shell) -> None:
    ended = shell("--help")
    assert ended.code == 0
    for word in ("adjoint", "heun", "run", "list", "show", "plot", "check", "store", "init", "schema", "data"):
        assert word in ended.out


def test_a_run_leaves_log_verdicts_manifest_and_figure(shell, toy: Path, tmp_path: Path) -> None:
    ended = shell("toy", "-j", "1", "--controls", "--strict", "--figures", "gallery", "--format", "png,svg,pdf")
    assert ended.code == 0, ended.err
    assert "A walk without drift has no speed" in ended.out
    assert "1/1 hold, 1/1 controls break" in ended.out
    folder = tmp_path / "runs/toy/walk-speed/laptop"
    names = {"claims.json", "manifest.json", "log-ends.parquet", "log-paths.parquet"}
    assert {path.name for path in folder.iterdir()} == names | {"figure.png", "figure.svg", "figure.pdf"}
    assert {path.name for path in (tmp_path / "gallery/toy").iterdir()} == {
        f"walk-speed.{suffix}" for suffix in ("png", "svg", "pdf", "json")
    }
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["deviations"] == [{"key": "lengths", "paper": [100000], "here": [4, 400, 4000]}]
    assert len(manifest["cells"]) == 12


def test_a_second_run_computes_nothing_and_touches_nothing(shell, toy: Path, tmp_path: Path) -> None:
    shell("toy", "-j", "1")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    ended = shell("toy", "-j", "1")
    assert "0 computed, 6 reused" in ended.out
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
    assert "6 computed, 0 reused" in shell("toy", "-j", "1", "--force").out
    assert len(list((tmp_path / "runs/store").glob("??/*.parquet"))) == 6


def test_plot_and_check_start_from_the_log(shell, toy: Path, tmp_path: Path) -> None:
    missing = shell("check", "walk-speed")
    assert missing.code == 2
    assert "there is no log yet; run `resodectl run toy/walk-speed --profile laptop` first" in missing.err
    shell("toy", "-j", "1", "-q")
    for path in (tmp_path / "runs/store").glob("??"):
        path.rename(tmp_path / f"gone-{path.name}")
    (tmp_path / "runs/toy/walk-speed/laptop/figure.png").unlink()
    assert shell("plot", "walk-speed").out.strip() == "runs/toy/walk-speed/laptop/figure.png"
    assert shell("check", "walk-speed").code == 0
    assert shell("check", "walk-speed", "--controls", "-j", "1").code == 0


def test_claims_that_do_not_hold_and_broken_controls_exit_with_1_when_strict(shell, toy: Path) -> None:
    assert shell("toy", "-j", "1", "--set", "drift=0.5").code == 0
    strict = shell("toy", "-j", "1", "--set", "drift=0.5", "--strict")
    assert (strict.code, "0/1 hold" in strict.out) == (1, True)
    assert shell("check", "walk-speed", "--set", "drift=0.5").code == 1


def test_json_is_one_document(shell, toy: Path) -> None:
    ended = shell("toy", "-j", "1", "--json")
    (found,) = json.loads(ended.out)["recipes"]
    assert found["claims"][0]["judgement"] == "holds"
    assert json.loads(shell("check", "walk-speed", "--json").out)["exit_code"] == 0
    assert json.loads(shell("show", "walk-speed", "--json").out)["cost"]["stored"] == 6
    assert len(json.loads(shell("store", "ls", "--json").out)) == 6
    assert json.loads(shell("toy", "--dry-run", "--json").out)["recipes"][0]["to_compute"] == 0


def test_a_folder_for_junit_is_refused_before_anything_is_computed(shell, toy: Path, tmp_path: Path) -> None:
    (tmp_path / "ci").mkdir()
    ended = shell("toy", "-j", "1", "--junit", "ci")
    assert ended.code == 2
    assert "ci: is a folder; name a file with --junit" in ended.err
    assert not (tmp_path / "runs").exists()


def test_junit_is_written_for_ci(shell, toy: Path, tmp_path: Path) -> None:
    shell("toy", "-j", "1", "--junit", "ci/claims.xml")
    assert b"<testsuite name=" in (tmp_path / "ci/claims.xml").read_bytes()


def test_a_failing_cell_exits_with_3_and_keeps_the_others(shell, toy: Path, tmp_path: Path) -> None:
    ended = shell("toy", "-j", "1", "--set", "fail_at=400")
    assert ended.code == 3
    assert "ValueError: the walk fell off a cliff" in ended.err
    assert "Traceback" not in ended.err + ended.out
    assert len(list((tmp_path / "runs/store").glob("??/*.parquet"))) == 4
    assert not (tmp_path / "runs/toy").exists()


def test_shards_fill_one_store_together(shell, toy: Path, tmp_path: Path) -> None:
    for part in ("1/2", "2/2"):
        ended = shell("toy", "-j", "1", "--shard", part)
        assert ended.code == 0
    assert ended.out.endswith("0 of all still missing\n")
    assert json.loads(shell("toy", "--shard", "1/2", "--json").out) == {"shard": "1/2", "computed": 0, "missing": 0}
    assert "0 computed, 6 reused" in shell("toy", "-j", "1").out


def test_a_damaged_cell_is_set_aside_and_computed_again(shell, toy: Path, tmp_path: Path) -> None:
    shell("toy", "-j", "1")
    first, second, *_ = sorted((tmp_path / "runs/store").glob("??/*.parquet"))
    first.write_bytes(first.read_bytes()[:-20])
    ended = shell("toy", "-j", "1")
    assert ended.code == 0
    assert "is damaged; set aside" in ended.err
    assert first.name.split(".")[0] in {path.name.split(".")[0] for path in first.parent.iterdir()}
    second.write_bytes(b"")
    verified = shell("store", "verify")
    assert (verified.code, verified.out) == (1, "6 cells read, 1 damaged\n")
    assert shell("store", "gc").out == "0 cells deleted\n"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["ron"], "there is no command or family 'ron'; did you mean 'run'?"),
        (["run"], "name a recipe"),
        (["run", "--all", "walk-speed"], "--all takes no recipes beside it"),
        (["run", "nothing.yaml"], "nothing.yaml: there is no such file\n"),
        (["run", "walk-sped"], "there is no recipe 'walk-sped'; did you mean 'walk-speed'?"),
        (["heun", "walk-speed"], "is a recipe of the family toy; run `resodectl toy walk-speed`"),
        (["run", "./absent.yaml"], "absent.yaml: cannot be read"),
        (["toy", "--set", "sedes=3"], "unknown key 'params.sedes'; did you mean 'seeds'?"),
        (["toy", "--seeds", "0"], "--seeds"),
        (["toy", "--device", "gpu"], "--device"),
        (["toy", "--profile", "huge"], "--profile"),
        (["toy", "--format", "gif"], "'gif' is no format; known: png, pdf, svg"),
        (["toy", "--shard", "3/2"], "is not of the form i/n"),
        (["toy", "--store", "/proc/none"], "the store folder cannot be written"),
        (["toy", "--out", "/proc/none"], "the out folder cannot be written"),
        (["store", "ls", "--store", "absent"], "there is no store here"),
        (["list", "hein"], "there is no family 'hein'; did you mean 'heun'?"),
        (["--plugins", "absent", "list"], "there is no such folder of families"),
        (["data", "fetch", "cifar10"], "say where to"),
        (["data", "fetch", "cifar", "--data-root", "."], "there is no data set 'cifar'; did you mean 'cifar10'?"),
    ],
)
def test_bad_usage_gets_one_sentence_and_exit_code_2(
    shell, toy: Path, tmp_path: Path, args: list[str], says: str
) -> None:
    ended = shell(*args)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "runs/toy").exists()


def started(tmp_path: Path, *args: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "resodectl", "--plugins", PLUGINS, "toy", *args]
    return subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupt_keeps_finished_cells_and_says_how_to_go_on(
    shell, toy: Path, tmp_path: Path, sent: signal.Signals, code: int, jobs: str
) -> None:
    args = ("-j", jobs, "--set", "pause=0.3", "--seeds", "8")
    process = started(tmp_path, *args)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "runs/store").glob("??/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(sent)
    _, err = process.communicate(timeout=60)
    kept = len(list((tmp_path / "runs/store").glob("??/*.parquet")))
    assert process.returncode == code, err
    assert 1 <= kept < 12
    assert "finished cells are kept in runs/store; go on with" in err
    assert "toy -j" in err
    assert "Traceback" not in err
    ended = shell(*("toy", *args[2:], "-j", "1"))
    assert f"{12 - kept} computed, {kept} reused" in ended.out


@pytest.mark.parametrize("args", ["list", "schema", "--help"])
def test_a_closed_pipe_is_silent(tmp_path: Path, args: str) -> None:
    code = f"set -o pipefail; {sys.executable} -m resodectl {args} | true"
    done = subprocess.run(["bash", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_closed_streams_are_no_error(tmp_path: Path) -> None:
    done = subprocess.run(["bash", "-c", f"{sys.executable} -m resodectl list >&- 2>&-"], cwd=tmp_path, check=False)
    assert done.returncode == 0


READERS_CODE = """
import sys
from resodectl.claims.estimate import over_units
from matplotlib.figure import Figure

def measure_speed(rows):
    {measure}

def draw_ends(log, recipe):
    {draw}
"""


@pytest.mark.parametrize(
    ("measure", "draw", "says"),
    [
        ("raise KeyError('no such\\nrow')", "return Figure()", "measure_speed of mine/walk failed: KeyError"),
        ("sys.exit(0)", "return Figure()", "measure_speed of mine/walk failed: SystemExit"),
        ("return 3.0", "return Figure()", "measure_speed"),
        (
            "return over_units(rows['end'])",
            "raise ValueError('no ink')",
            "draw_ends of mine/walk failed: ValueError: no ink",
        ),
        (
            "return over_units(rows['end'])",
            "return 'a picture'",
            "draw_ends of mine/walk gives str, not a matplotlib Figure",
        ),
    ],
)
def test_a_readers_failing_code_costs_its_own_figure_only(
    shell, toy: Path, tmp_path: Path, measure: str, draw: str, says: str
) -> None:
    shutil.copytree(Path(PLUGINS) / "toy", tmp_path / "mine/mine")
    (tmp_path / "mine/mine/walk/analysis.py").write_text(READERS_CODE.format(measure=measure, draw=draw))
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(toy.read_text("utf-8").replace("family: toy", "family: mine").replace("toy/walk", "mine/walk"))
    ended = shell("--plugins", "mine", "run", "./mine.yaml", "toy/walk-speed", "-j", "1")
    assert ended.code == 3
    assert says in ended.out + ended.err
    assert "Traceback" not in ended.out + ended.err
    assert "1/1 hold" in ended.out
    assert (tmp_path / "runs/toy/walk-speed/laptop/figure.png").exists()


def test_a_failing_control_cell_leaves_the_figure_and_exits_with_3(shell, toy: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "walk-speed.yaml"
    recipe.write_text(toy.read_text("utf-8").replace("set: {drift: 0.5}", "set: {fail_at: 4}"))
    for command in (("run",), ("check",)):
        ended = shell(*command, "./walk-speed.yaml", "-j", "1", "--controls")
        assert ended.code == 3
        assert "fell off a cliff" in ended.err
        assert "control not run" in ended.out
    assert list((tmp_path / "runs").glob("toy/walk-speed@*/laptop/figure.png"))


def test_a_log_of_other_params_or_of_damaged_bytes_is_refused(shell, toy: Path, tmp_path: Path) -> None:
    copy = tmp_path / "walk-speed.yaml"
    copy.write_text(toy.read_text("utf-8").replace("[4, 400, 4000]", "[4, 200]"))
    assert shell("run", "./walk-speed.yaml", "-j", "1").code == 0
    (folder,) = (tmp_path / "runs/toy").glob("walk-speed@*")
    shutil.copytree(folder, tmp_path / "runs/toy/walk-speed")  # as if another version had shipped that recipe
    ended = shell("check", "walk-speed")
    assert ended.code == 2
    assert "was made with other params than the recipe's; run `resodectl run toy/walk-speed" in ended.err
    assert "run ./walk-speed.yaml" not in ended.err
    log = folder / "laptop/log-ends.parquet"
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 1
    log.write_bytes(content)
    assert "the log is damaged" in shell("check", "./walk-speed.yaml").err


def test_stored_controls_are_shown_by_every_later_run(shell, toy: Path) -> None:
    assert "control not run" in shell("toy", "-j", "1").out
    assert "1/1 controls break" in shell("toy", "-j", "1", "--controls").out
    assert "1/1 controls break" in shell("toy", "-j", "1").out


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_fails_with_a_sentence_and_keeps_what_is_finished(shell, toy: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        ended = shell("toy", "-j", "1", "--store", str(small / "store"), "--seeds", "40")
        assert ended.code == 3
        assert "No space left on device" in ended.err
        assert "Traceback" not in ended.err
        assert list((small / "store").glob("??/*.parquet"))
    finally:
        subprocess.run(["umount", small], check=True)
