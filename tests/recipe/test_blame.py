"""Settings that do not go together: the message names who brought them together, and no innocent line of the recipe."""

from pathlib import Path

import pytest

from resodectl.recipe.load import Request, load
from resodectl.recipe.merging import Layer, Layers, Written, override
from resodectl.recipe.reading import RecipeError, read_text

# Brownian weights need depths that are powers of two.
RECIPE = """\
family: adjoint
paper: sander2022
figure: unnumbered
title: Orders
experiment: adjoint/reconstruction
draw: orders
params:
  schemes: [euler]
  weights: [smooth]
  depths: [24, 48]
  seeds: 4
profiles:
  laptop:
    depths: [16, 32]
    weights: [brownian]
    because: it is faster
claims:
  - claim: loglog_slope
    says: The error falls with depth
    within: [-1.2, -0.8]
    control:
      set: {weights: [iid, brownian]}
      because: the weights must be smooth
"""


def refusal(folder: Path, *sets: str, seeds: int | None = None, edit: tuple[str, str] = ("", "")) -> str:
    path = folder / "orders.yaml"
    path.write_text(RECIPE.replace(*edit) if edit[0] else RECIPE)
    with pytest.raises(RecipeError) as refused:
        load(path, Request("laptop", sets, seeds))
    return str(refused.value).replace(f"{folder}/", "")


PAPER = ("    depths: [16, 32]\n    weights: [brownian]\n", "    depths: [16, 32]\n")  # laptop differs in its depths


@pytest.mark.parametrize(
    ("sets", "named"),
    [
        (("depths=[24]",), "--set depths=[24]: params: depths: Brownian"),
        (("depths=[24]", "hidden=8"), "--set depths=[24]: params: depths"),
        (("hidden=8", "depths=[24]"), "--set depths=[24]: params: depths"),
    ],
)
def test_an_override_is_blamed_for_what_the_recipe_alone_does_not_do(
    tmp_path: Path, sets: tuple[str, ...], named: str
) -> None:
    assert refusal(tmp_path, *sets).startswith(named)
    assert refusal(tmp_path, *sets, seeds=3).startswith(named)


def test_of_overrides_that_are_wrong_only_together_the_last_is_blamed(tmp_path: Path) -> None:
    edit = ("set: {weights: [iid, brownian]}", "set: {weights: [iid]}")
    plain = RECIPE.replace(*edit).replace(*PAPER)
    path = tmp_path / "orders.yaml"
    path.write_text(plain)
    for sets in (("weights=[brownian]", "depths=[24]"), ("depths=[24]", "weights=[brownian]")):
        load(path, Request("laptop", sets[:1]))
        with pytest.raises(RecipeError, match="Brownian") as refused:
            load(path, Request("laptop", sets))
        assert str(refused.value).startswith(f"--set {sets[1]}: ")


def test_an_override_that_a_control_cannot_go_with_is_blamed_with_the_control(tmp_path: Path) -> None:
    says = refusal(tmp_path, "depths=[24]", edit=PAPER)
    assert says.startswith("--set depths=[24] (with what orders.yaml:21:7 changes): params: depths: Brownian")


def test_a_profile_or_a_control_that_is_wrong_by_itself_is_blamed_at_its_line(tmp_path: Path) -> None:
    wrong = ("depths: [16, 32]\n    weights", "depths: [17]\n    weights")
    assert refusal(tmp_path, edit=wrong).startswith("orders.yaml:13:3: params: depths: Brownian")
    control = ("{weights: [iid, brownian]}", "{depths: [12, 24]}")
    for sets in ((), ("seeds=2",)):
        assert refusal(tmp_path, *sets, edit=control).startswith("orders.yaml:22:7: params: depths: Brownian")


def test_an_element_that_makes_a_duplicate_is_blamed_on_its_option(tmp_path: Path) -> None:
    assert refusal(tmp_path, "depths.0=32").startswith("--set depths.0=32: params.depths")
    assert refusal(tmp_path, "hidden=8", "depths.0=32").startswith("--set depths.0=32: params.depths")


def test_only_what_touches_a_group_is_to_blame_for_it() -> None:
    base = read_text("grid: {low: 1, high: 3}\nseeds: 2", "base")
    layers = Layers(Layer(base.data, Written(base, ())))
    for text in ("grid.low=5", "grid.high=4", "seeds=3"):
        layers.lay(override(text))

    def refused(values: object) -> bool:
        return False

    assert layers.to_blame(("grid",), lambda values: values["grid"]["low"] < 3) == "--set grid.low=5"
    assert layers.to_blame(("grid",), lambda values: sum(values["grid"].values()) < 9) == "--set grid.high=4"
    assert layers.to_blame(("grid",), refused) == "base:1:1"
    layers.lay(override("flow.step=0"))  # of a group that the recipe leaves at its defaults
    assert layers.to_blame(("flow",), lambda values: "flow" not in values) == "--set flow.step=0"
    assert layers.to_blame(("seeds",), refused) == "--set seeds=3"
    assert layers.to_blame(("grid", "low"), refused) == "--set grid.low=5"
