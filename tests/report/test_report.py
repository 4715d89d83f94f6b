"""The report shows what a gallery holds, as text, in one file."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from resodectl.report.bands import picture_of_band
from resodectl.report.collect import cards
from resodectl.report.page import page

ODD = '<script>alert("x")</script> & $x_1$'


class Parsed(HTMLParser):
    """The tags, texts and attributes of a page; every tag must be closed in its order."""

    VOID = ("meta", "input", "img", "br", "line", "rect", "circle")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def of(self, tag: str) -> list[dict]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """A gallery of one shipped recipe, and one that says odd things."""
    figures = Path(__file__).parents[2] / "figures"
    for name in ("heun/sander2022-order.json", "heun/sander2022-order.paper.json", "adjoint/sander2022-memory.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((figures / name).read_bytes())
    for name in ("heun/sander2022-order", "adjoint/sander2022-memory"):
        Image.new("RGB", (40, 30), "white").save(tmp_path / f"{name}.png")
    path = tmp_path / "adjoint/sander2022-memory.json"
    odd = json.loads(path.read_bytes())
    odd["title"] = odd["claims"][0]["says"] = odd["claims"][0]["control"]["because"] = ODD
    odd["deviations"] = [f"label: {ODD} (paper: none)"]
    odd["claims"][0]["judgement"] = "fails"
    path.write_text(json.dumps(odd), "utf-8")
    return tmp_path


def test_the_page_shows_each_picture_claim_and_command_once(gallery: Path) -> None:
    found = cards(gallery)
    parsed = Parsed(page(found))
    assert parsed.open == []
    articles = parsed.of("article")
    assert [article["data-family"] for article in articles] == ["adjoint", "heun"]
    assert [article["data-verdict"] for article in articles] == ["not", "holds"]
    assert [article["data-ran"] for article in articles] == ["no", "yes"]
    images = [image for image in parsed.of("img") if "src" in image]
    assert all(image["src"].startswith("data:image/") and image["alt"] for image in images)
    text = " ".join(parsed.texts)
    for claim in json.loads((gallery / "heun/sander2022-order.json").read_bytes())["claims"]:
        assert text.count(f". {claim['says']}") == 1
    assert "resodectl run heun/sander2022-order --controls" in text
    assert "-2.9949 [-2.9973, -2.9925], band [-3.1, -2.9]" in text
    assert "experiment: adjoint/reconstruction" in text  # the recipe itself


def test_what_stands_in_recipes_is_text_and_nothing_is_fetched(gallery: Path) -> None:
    text = page(cards(gallery))
    parsed = Parsed(text)
    assert len(parsed.of("script")) == 1
    assert " ".join(parsed.texts).count(ODD) >= 4  # title, claim, control, deviation
    addresses = [attrs[key] for _, attrs in parsed.tags for key in ("src", "href") if key in attrs]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "@import" not in text
    assert "url(" not in text


def test_every_control_of_the_form_has_a_label_and_every_link_a_target(gallery: Path) -> None:
    text = page(cards(gallery))
    parsed = Parsed(text)
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for attrs in parsed.of("a")} <= set(ids)
    for tag in ("select", "input"):
        for attrs in parsed.of(tag):
            assert re.search(rf'<label>[^<]+<{tag} [^>]*id="{attrs["id"]}"', text)
    for button in parsed.of("button"):
        assert "aria-label" in button or button.get("type") == "reset" or not button


@pytest.mark.parametrize(
    ("claim", "has"),
    [
        ({"within": [0, 1], "published": 0.5, "theory": None}, ["rect", "published", "interval", "circle"]),
        ({"within": [None, 1], "published": None, "theory": {"value": 0.4}}, ["rect", "theory", "circle"]),
        ({"within": [3, 3], "published": None, "theory": None}, ["rect", "circle"]),
    ],
)
def test_the_drawing_of_a_band(claim: dict, has: list[str]) -> None:
    drawn = picture_of_band({**claim, "estimate": {"value": 0.5, "low": 0.4, "high": None}})
    assert all(part in drawn for part in has)
    numbers = [float(number) for number in re.findall(r' (?:x|x1|x2|cx)="([^"]*)"', drawn)]
    assert all(0 <= number <= 180 for number in numbers)


def test_the_estimate_stands_on_its_band_in_the_drawing() -> None:
    drawn = picture_of_band(
        {"within": [0, 1], "published": None, "theory": None, "estimate": {"value": 0.75, "low": 0.7, "high": 0.8}}
    )
    left, width = (float(re.search(r'<rect x="([^"]*)" y="2" width="([^"]*)"', drawn)[part]) for part in (1, 2))
    assert float(re.search(r'cx="([^"]*)"', drawn)[1]) == pytest.approx(left + 0.75 * width, abs=0.2)


def test_the_command_writes_the_page_and_refuses_what_is_no_gallery(shell, gallery: Path, tmp_path: Path) -> None:
    ended = shell("report", "--figures", gallery, "--out", tmp_path / "report.html")
    assert ended.code == 0, ended.err
    assert "2 figures" in ended.out
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!doctype html>")
    (gallery / "heun/sander2022-order.json").write_text("{")
    ended = shell("report", "--figures", gallery, "--out", tmp_path / "report.html")
    assert "warning" in ended.err
    assert "1 figures" in ended.out
    for figures, out in ((tmp_path / "nowhere", "a.html"), (tmp_path / "adjoint", "a.html"), (gallery, tmp_path)):
        ended = shell("report", "--figures", figures, "--out", out)
        assert (ended.code, len(ended.err.strip().splitlines())) == (2, 1), ended.err
