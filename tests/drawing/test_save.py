"""Saved figures: the same bytes for the same figure, what they were made from in them, and nothing half-written."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from resodectl.drawing.finish import legend_below
from resodectl.drawing.save import CUT, Provenance, _laid_out, is_current, save
from resodectl.drawing.style import panels, style

FORMATS = ("png", "pdf", "svg")
MADE_FROM = Provenance(version="0.1.0", recipe="ab" * 32, log="cd" * 32, drawing="ef" * 32)
FOOTER = "toy/walk, profile laptop | depths [4, 8] instead of [4, 8, 16] $because$ a laptop < a cluster & é " * 3


def drawn() -> Figure:
    with style():
        figure, axes = panels(1, 2)
        for ax in axes:
            ax.plot([1, 2, 3], [0.1, 0.01, 0.003], label="error")
            ax.fill_between([1, 2, 3], [0.1, 0.01, 0.003], alpha=0.2)
            ax.set_yscale("log")
            ax.set_xlabel("depth $N$")
        legend_below(figure)
    return figure


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return save(drawn(), tmp_path_factory.mktemp("once") / "figure", FORMATS, MADE_FROM, FOOTER)


@pytest.fixture
def saved(tmp_path: Path, once: list[Path]) -> list[Path]:
    return [Path(shutil.copy2(path, tmp_path)) for path in once]


def test_all_formats_are_written_under_their_stem_and_nothing_else(tmp_path: Path, saved: list[Path]) -> None:
    assert saved == [tmp_path / f"figure.{suffix}" for suffix in FORMATS]
    assert sorted(tmp_path.iterdir()) == sorted(saved)
    assert Image.open(saved[0]).format == "PNG"
    xml.etree.ElementTree.parse(saved[2])


def test_the_same_figure_has_the_same_bytes_in_every_process(tmp_path: Path, saved: list[Path]) -> None:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import test_save as here;"
        "here.save(here.drawn(), Path(sys.argv[2]) / 'figure', here.FORMATS, here.MADE_FROM, here.FOOTER)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1", "SOURCE_DATE_EPOCH": "1"}
    subprocess.run([sys.executable, "-c", code, Path(__file__).parent, tmp_path / "there"], env=environment, check=True)
    for path in saved:
        assert (tmp_path / "there" / path.name).read_bytes() == path.read_bytes()


def test_saving_a_figure_again_gives_the_same_bytes(tmp_path: Path) -> None:
    figure = drawn()
    first, second = (save(figure, tmp_path / name, FORMATS, MADE_FROM, FOOTER) for name in ("one", "two"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_figure_says_in_its_metadata_what_it_was_made_from(saved: list[Path]) -> None:
    text = Image.open(saved[0]).info
    assert text["Software"] == "resodectl 0.1.0"
    for value in dataclasses.astuple(MADE_FROM):
        assert value in text["Comment"]
    for path in saved:
        data = path.read_bytes()
        assert MADE_FROM.stamp(FOOTER).encode() in data
        assert b"Matplotlib v" not in data
        assert b"CreationDate" not in data


def test_a_figure_is_current_until_any_of_what_it_was_made_from_changes(saved: list[Path]) -> None:
    for path in saved:
        assert is_current(path, MADE_FROM, FOOTER)
        assert not is_current(path, MADE_FROM, FOOTER + "more")
        for field in dataclasses.fields(Provenance):
            assert not is_current(path, dataclasses.replace(MADE_FROM, **{field.name: "changed"}), FOOTER)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_missing_truncated_or_foreign_file_is_not_current(tmp_path: Path, saved: list[Path], suffix: str) -> None:
    path = tmp_path / f"figure.{suffix}"
    whole = path.read_bytes()
    for damaged in (whole[:-5], whole[5:], b"", MADE_FROM.stamp(FOOTER).encode()):
        path.write_bytes(damaged)
        assert not is_current(path, MADE_FROM, FOOTER)
    path.unlink()
    assert not is_current(path, MADE_FROM, FOOTER)
    path.mkdir()
    assert not is_current(path, MADE_FROM, FOOTER)


def test_a_current_figure_is_left_untouched_and_only_the_others_are_written(saved: list[Path]) -> None:
    for path in saved:
        os.utime(path, ns=(1, 1))
    saved[1].unlink()
    save(drawn(), saved[0].with_suffix(""), FORMATS, MADE_FROM, FOOTER)
    assert [path.stat().st_mtime_ns == 1 for path in saved] == [True, False, True]
    save(drawn(), saved[0].with_suffix(""), FORMATS, MADE_FROM, "another footer")
    assert not any(path.stat().st_mtime_ns == 1 for path in saved)


def test_a_failing_write_leaves_the_old_figure_and_no_other_file(
    tmp_path: Path, saved: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in saved}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(drawn(), tmp_path / "figure", FORMATS, MADE_FROM, "another footer")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_place_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        save(drawn(), tmp_path / "file" / "figure", ("png",), MADE_FROM)


LONG = (FOOTER * 9, "long" * 200, "[" + ",".join(map(str, range(300))) + "]")


@pytest.mark.parametrize("footer", [FOOTER, "short", *LONG])
def test_the_footer_stands_below_the_figure_within_its_width_in_at_most_two_lines(footer: str) -> None:
    figure = drawn()
    with style(), _laid_out(figure, footer) as box:
        renderer = figure.canvas.get_renderer()
        text = figure.texts[-1]
        placed = text.get_window_extent(renderer).transformed(figure.dpi_scale_trans.inverted())
        lowest = min(artist.get_tightbbox(renderer).y0 for artist in (*figure.axes, *figure.legends)) / figure.dpi
        assert placed.y1 <= min(lowest, 0)
        assert box.x0 <= placed.x0 <= placed.x1 <= box.x1
        assert box.y0 <= placed.y0
        shown, cut = text.get_text(), footer in LONG
        assert len(shown.splitlines()) == (1 if footer == "short" else 2)
        assert shown.endswith(CUT) == cut
        start = "".join(shown.removesuffix(CUT).split())
        assert footer.replace(" ", "").startswith(start)
        assert cut or start == footer.replace(" ", "")
    assert not figure.texts
    assert figure.get_layout_engine() is not None


def test_a_figure_with_a_footer_is_as_wide_as_one_without(tmp_path: Path, saved: list[Path]) -> None:
    (bare,) = save(drawn(), tmp_path / "bare", ("png",), MADE_FROM)
    with_footer, without = Image.open(saved[0]), Image.open(bare)
    assert with_footer.width == without.width
    assert with_footer.height > without.height
    ink = (np.asarray(with_footer.convert("L"))[without.height :] < 200).any(axis=0)
    tenth = with_footer.width // 10
    assert ink[:tenth].any()
    assert ink[-tenth:].any()


def test_the_stamp_is_one_line_of_plain_letters() -> None:
    stamp = MADE_FROM.stamp("é\n)(\\ <&>")
    assert stamp.isascii()
    assert stamp == json.loads(json.dumps(stamp))
    assert not set(stamp) & set("\n()\\<>&")
    assert hashlib.sha256("é\n)(\\ <&>".encode()).hexdigest() in stamp


def test_letters_that_the_font_lacks_are_told_in_one_line(tmp_path: Path, capsys, recwarn) -> None:
    figure = Figure()
    figure.suptitle("速度 of a walk")
    save(figure, tmp_path / "figure", ("png", "svg"), MADE_FROM, "profile 速")
    assert capsys.readouterr().err == (
        f"warning: {tmp_path / 'figure'}: the font lacks 速度, drawn as boxes; write it in other letters\n"
    )
    assert not [w.message for w in recwarn.list if issubclass(w.category, UserWarning)]
