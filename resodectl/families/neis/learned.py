"""The field and the training that a recipe names."""

from resodectl.families.neis.flow_settings import Flow, LinearField, Network, VelocityChoice
from resodectl.numerics.draws import Streams
from resodectl.numerics.sampling.training import Plan, funnel_field, generic_field, gradient_field, linear_field
from resodectl.numerics.sampling.velocities import Trainable


def first_field(chosen: VelocityChoice, streams: Streams, dim: int) -> Trainable:
    """The field before training, one for each stream; float64 on the CPU."""
    if isinstance(chosen, Network):
        drawn = generic_field if chosen.kind == "generic" else gradient_field
        return drawn(streams, dim, chosen.units, chosen.scale)
    if isinstance(chosen, LinearField):
        return linear_field(streams, dim, chosen.scale)
    return funnel_field(len(streams), chosen.first)


def plan_of(flow: Flow) -> Plan:
    """How its field is trained."""
    return Plan(**{name: getattr(flow, name) for name in Plan._fields})
