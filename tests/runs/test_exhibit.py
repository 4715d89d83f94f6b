"""A gallery that is committed changes only where a reader can see it."""

import io
import json
import os
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from resodectl.runs.exhibit import rounded, same_pixels, show_picture


def png(colour: tuple[int, int, int] = (200, 10, 10), comment: str = "one", **how: object) -> bytes:
    picture = Image.new("RGB", (40, 30), colour)
    picture.putpixel((3, 4), (0, 0, 255))
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", comment)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=text, **how)
    return buffer.getvalue()


@pytest.mark.parametrize("other", [png(comment="two"), png(compress_level=0), png(dpi=(100, 100))])
def test_pictures_that_differ_in_text_and_compression_show_the_same(other: bytes) -> None:
    assert other != png()
    assert same_pixels(png(), other)


@pytest.mark.parametrize("other", [png((200, 10, 11)), png()[:-12], png()[:60], b"", b"no picture"])
def test_another_colour_or_a_file_that_is_not_whole_shows_something_else(other: bytes) -> None:
    assert not same_pixels(other, png())
    assert not same_pixels(other, b"no picture")


def test_a_picture_is_written_only_where_its_pixels_differ(tmp_path: Path) -> None:
    path = tmp_path / "heun/one.png"
    show_picture(path, png())
    show_picture(path, png(comment="two", compress_level=1))
    assert path.read_bytes() == png()
    show_picture(path, png((0, 0, 0)))
    assert path.read_bytes() == png((0, 0, 0))
    path.write_bytes(b"torn")
    show_picture(path, png())
    assert path.read_bytes() == png()


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (0.8083277805863262, 0.808328),
        (-1.7161213413294238e-18, -1.71612e-18),
        (99999.96, 100000.0),
        (1234567.89, 1234568.0),
        (1048576.0, 1048576.0),
        (28_700_123, 28_700_123),
        (-0.0, 0.0),
        (None, None),
        (True, True),
        ("student", "student"),
    ],
)
def test_what_was_measured_keeps_six_digits_and_whole_numbers_stay(value: object, kept: object) -> None:
    verdicts = {"claims": [{"estimate": {"value": value}, "controls": [{"estimate": {"value": value}}]}]}
    wanted = {"claims": [{"estimate": {"value": kept}, "controls": [{"estimate": {"value": kept}}]}]}
    assert json.dumps(rounded(verdicts)) == json.dumps(wanted)


def test_what_the_recipe_says_keeps_every_digit() -> None:
    claim = {"within": [0.999999999, 1.000000001], "theory": {"value": 0.123456789}, "estimate": None}
    assert rounded({"claims": [claim]}) == {"claims": [claim]}


def test_rounding_never_changes_the_order_of_value_and_interval() -> None:
    near = (0.99999949, 0.9999995, 1.0, 99999.94, 99999.96, 999999.4, 999999.6, 1000000.2, 1234567.0, 1234567.2)
    kept = [rounded({"estimate": {"value": value}})["estimate"]["value"] for value in near]
    assert kept == sorted(kept)


def test_a_gallery_of_another_processor_is_left_alone_unless_something_visible_changed(
    shell, toy: Path, tmp_path: Path
) -> None:
    assert shell("toy", "-j", "1", "--controls", "--figures", "gallery").code == 0
    picture, verdicts = (tmp_path / f"gallery/toy/walk-speed.{ending}" for ending in ("png", "json"))
    with Image.open(picture) as image:
        image.save(picture, compress_level=1)  # the same pixels; the stamp is gone
    numbers = json.loads((tmp_path / "runs/toy/walk-speed/laptop/claims.json").read_text("utf-8"))
    assert json.loads(verdicts.read_text("utf-8")) == rounded(numbers) != numbers
    files = [path for path in (tmp_path / "gallery").rglob("*") if path.is_file()]
    for path in files:
        os.utime(path, ns=(1, 1))
    for command in (("toy", "-j", "1", "--controls"), ("toy", "-j", "1")):
        assert shell(*command, "--figures", "gallery").code == 0
    assert {path.stat().st_mtime_ns for path in files} == {1}
    before = picture.read_bytes()
    assert shell("toy", "-j", "1", "--seeds", "6", "--figures", "gallery").code == 0  # not the gallery's setting
    assert picture.read_bytes() == before
    verdicts.write_text(verdicts.read_text("utf-8").replace("breaks", "broken"))
    with Image.open(picture) as image:
        image.putpixel((5, 5), (0, 0, 0, 255))
        image.save(picture)
    assert shell("toy", "-j", "1", "--controls", "--figures", "gallery").code == 0
    assert "broken" not in verdicts.read_text("utf-8")
    assert same_pixels(picture.read_bytes(), before)
