"""The target that a recipe names."""

from resodectl.experiment.context import Context
from resodectl.families.neis.target_file import read_target
from resodectl.families.neis.target_settings import FourModes, FunnelInBall, ModesGiven, TargetChoice, TwoModes
from resodectl.numerics.sampling.targets import Funnel, Target, four_modes, mixture, two_modes


def target_of(chosen: TargetChoice, context: Context) -> Target:
    """The target, on the context's device and of its dtype.

    Raises:
        DataError: a file is no target.
    """
    if isinstance(chosen, TwoModes):
        return two_modes(context.dtype, context.device)
    if isinstance(chosen, FourModes):
        return four_modes(context.dtype, context.device)
    if isinstance(chosen, FunnelInBall):
        return Funnel(chosen.dim, chosen.radius)
    if isinstance(chosen, ModesGiven):
        return mixture(chosen.weights, chosen.centres, chosen.variances, context.dtype, context.device)
    return read_target(context.input(chosen.file), context.dtype, context.device)
