"""The networks that recipes of the adjoint may ask for: their sizes by hand, and what of an image is left for them."""

import pytest
from pydantic import TypeAdapter

from resodectl.families.adjoint.models import Model
from resodectl.families.adjoint.networks import network_of
from resodectl.numerics.networks.bottleneck import Bottleneck
from resodectl.numerics.networks.mlp import Mlp
from resodectl.numerics.networks.tiny import TinyConv

MODEL = TypeAdapter(Model)


def tiny(stem: str, channels: int = 16):
    return MODEL.validate_python({"kind": "tiny-conv", "channels": channels, "stem": stem})


@pytest.mark.parametrize(
    ("stem", "data", "side"),
    [
        ("strided-5x5", "cifar10", 2),
        ("plain-3x3", "cifar10", 8),
        ("plain-3x3", "digits", 2),
        ("strided-5x5", "digits", 0),
    ],
)
def test_the_last_layer_reads_what_the_stem_and_the_pooling_by_four_leave(stem: str, data: str, side: int) -> None:
    """CIFAR-10: 32 -> 10 -> 2 or 32 -> 32 -> 8 pixels a side; digits: 8 -> 2 -> 0 or 8 -> 8 -> 2."""
    assert tiny(stem).features(data) == 16 * side**2
    assert network_of(tiny(stem), data, 3, tied=False).features == 16 * side**2


def test_a_tiny_network_has_the_stem_that_is_asked_for_and_normalises_after_the_strided_one_alone() -> None:
    found = {stem: network_of(tiny(stem, 4), "cifar10", 6, tied=True) for stem in ("strided-5x5", "plain-3x3")}
    assert found["strided-5x5"] == TinyConv((3, 32, 32), 10, 6, True, 4, (5, 3, 1), True)
    assert found["plain-3x3"] == TinyConv((3, 32, 32), 10, 6, True, 4, (3, 1, 1), False)
    assert tiny("plain-3x3").stages(6) == (6,)


def test_a_perceptron_reads_all_pixels_of_all_channels() -> None:
    model = MODEL.validate_python({"kind": "mlp"})
    assert network_of(model, "digits", 5, tied=False) == Mlp(64, 10, 5, False, 16, 32)
    assert network_of(model, "cifar10", 5, tied=True) == Mlp(3072, 10, 5, True, 16, 32)
    assert model.stages(5) == (5,)


def test_stages_of_a_bottleneck_network_have_the_depth_where_it_is_named() -> None:
    model = MODEL.validate_python({"kind": "bottleneck", "residuals": (2, 3, "depth", 2), "adjoint_from": 4})
    assert model.stages(22) == (2, 3, 22, 2)
    assert network_of(model, "cifar10", 22, tied=False) == Bottleneck(3, 10, (2, 3, 22, 2), False, 4, 64)
