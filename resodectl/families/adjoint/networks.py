"""From what a recipe asks for to a network and its solver (Sander, Ablin & Peyre 2022, arXiv 2205.14612)."""

from resodectl.experiment.choices import AdjointAblation, GradientName, SchemeName
from resodectl.families.adjoint.models import STEMS, BottleneckModel, MlpModel, Model
from resodectl.numerics.networks.bottleneck import Bottleneck
from resodectl.numerics.networks.mlp import Mlp
from resodectl.numerics.networks.network import Network, Solver
from resodectl.numerics.networks.tiny import TinyConv
from resodectl.numerics.ode.schemes import SCHEMES
from resodectl.training.settings import CLASSES, SHAPES


def network_of(model: Model, data: str, depth: int, tied: bool) -> Network:
    """The network that `model` describes for the images of `data`."""
    channels, height, width = SHAPES[data]
    if isinstance(model, MlpModel):
        return Mlp(channels * height * width, CLASSES, depth, tied, model.width, model.hidden)
    if isinstance(model, BottleneckModel):
        return Bottleneck(channels, CLASSES, model.stages(depth), tied, model.adjoint_from, model.width)
    norm = model.stem == "strided-5x5"
    return TinyConv(SHAPES[data], CLASSES, depth, tied, model.channels, STEMS[model.stem], norm)


def solver_of(
    scheme: SchemeName, gradient: GradientName, ablation: AdjointAblation, residual_exponent: float
) -> Solver:
    """How the residual layers are integrated and differentiated; an ablation changes the adjoint alone."""
    ablated = gradient == "adjoint" and ablation == "no-reconstruction"
    return Solver(SCHEMES[scheme], "unreconstructed" if ablated else gradient, residual_exponent)
