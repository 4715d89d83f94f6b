"""The memory-free adjoint beside what one would pick instead: time, memory, gradient error, all in one run.

Baselines: plain backpropagation through the same network; `torch.utils.checkpoint` around every layer, and around
every run of sqrt(N) layers, which keeps about 2 sqrt(N) states and recomputes each layer once; and, where it is
installed, `torchdiffeq.odeint_adjoint` with fixed Euler steps. That one adds up the gradients of all its parameters
at every step, so it is compared on tied weights only: with untied layers, each step would pay for all N of them.
Before anything is timed, all give the same output, and gradients equal up to what each method leaves out.

How to read the table: checkpoints give the exact gradient, and those of sqrt(N) layers recompute no more than one
forward pass; take them unless 2 sqrt(N) states do not fit. The adjoint keeps one state at any depth and makes one more
forward pass, backward; its gradient is wrong by about 1/N (Euler), so it is for depths at which sqrt(N) states are
too many. Last: all seeds of a sweep as one program beside a loop of one network a seed.
Run: python benchmarks/adjoint.py
"""

import importlib.util
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.utils.checkpoint import checkpoint

from resodectl.experiment.context import stream
from resodectl.families.adjoint.memory.counting import counting_saved_bytes, peak_bytes
from resodectl.numerics.draws import normal
from resodectl.numerics.networks.residuals import mlp
from resodectl.numerics.ode.adjoint import integrate, layers_of
from resodectl.numerics.ode.schemes import EULER, HEUN, Layer, Scheme, advance
from resodectl.numerics.weights.depth import WeightKind, mlp_weights

torch.set_num_threads(1)
REPETITIONS = 9
SHALLOW, DEEP = 16, 1024

Stacks = Sequence[torch.Tensor]
Method = Callable[["Network", torch.Tensor, Stacks, int], torch.Tensor]


@dataclass(frozen=True)
class Network:
    """A perceptron in every layer, for several seeds at once."""

    name: str
    seeds: int
    dim: int
    hidden: int
    batch: int
    dtype: torch.dtype
    scheme: Scheme = EULER
    tied: bool = False

    def build(self, depth: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The input and the stacked weights, which need gradients."""
        streams = {name: [stream(seed, name) for seed in range(self.seeds)] for name in "WbVx"}
        kind: WeightKind = "tied" if self.tied else "smooth"
        stacks = mlp_weights(kind, streams, 1 if self.tied else depth, self.dim, self.hidden, self.dtype)
        x = normal(streams["x"], (self.batch, self.dim), self.dtype)
        return x, [stack.clone().requires_grad_() for stack in stacks]


NETWORKS = (
    Network("slopes: 8->16->8, 8 seeds, batch 32, float64", 8, 8, 16, 32, torch.float64),
    Network("slopes: the same with Heun", 8, 8, 16, 32, torch.float64, HEUN),
    Network("training: 64->128->64, batch 256, float32", 1, 64, 128, 256, torch.float32),
    Network("wide: 256->256->256, batch 256, float32", 1, 256, 256, 256, torch.float32),
    Network("slopes, tied weights", 8, 8, 16, 32, torch.float64, tied=True),
    Network("training, tied weights", 1, 64, 128, 256, torch.float32, tied=True),
    Network("memory, tied weights: 500->8->500, batch 500, float32", 1, 500, 8, 500, torch.float32, tied=True),
)
SWEEP = Network("sweep: 8->16->8, 32 seeds, batch 32, float32", 32, 8, 16, 32, torch.float32)


def backprop(network: Network, x: torch.Tensor, stacks: Stacks, depth: int) -> torch.Tensor:
    return integrate(network.scheme, mlp(), x, stacks, 1 / depth, "backprop", depth)


def adjoint(network: Network, x: torch.Tensor, stacks: Stacks, depth: int) -> torch.Tensor:
    return integrate(network.scheme, mlp(), x, stacks, 1 / depth, "adjoint", depth)


def checkpointed(network: Network, x: torch.Tensor, stacks: Stacks, depth: int, every: int = 1) -> torch.Tensor:
    """A checkpoint before every `every`-th step; the steps between are recomputed together, backward."""
    layers, span = layers_of(stacks, depth), network.scheme.span

    def run(state: torch.Tensor, own: Sequence[Layer]) -> torch.Tensor:
        for n in range(len(own) - span):
            state = advance(network.scheme, mlp(), state, own[n : n + span + 1], 1 / depth)
        return state

    for n in range(0, depth - span, every):
        x = checkpoint(run, x, layers[n : n + every + span], use_reentrant=False)
    return x


def sqrt_checkpointed(network: Network, x: torch.Tensor, stacks: Stacks, depth: int) -> torch.Tensor:
    return checkpointed(network, x, stacks, depth, math.isqrt(depth))


def torchdiffeq_adjoint(network: Network, x: torch.Tensor, stacks: Stacks, depth: int) -> torch.Tensor:
    """For tied weights: the field does not depend on time."""
    from torchdiffeq import odeint_adjoint

    def field(time: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        return mlp()(state, tuple(stack[0] for stack in stacks))

    ends = torch.tensor([0.0, 1.0], dtype=x.dtype)
    options = {"step_size": 1 / depth}
    return odeint_adjoint(field, x, ends, method="euler", options=options, adjoint_params=tuple(stacks))[-1]


EXACT: dict[str, Method] = {"backprop": backprop, "checkpoint": checkpointed, "sqrt(N) ckpt": sqrt_checkpointed}
METHODS: dict[str, Method] = {**EXACT, "adjoint": adjoint}
if importlib.util.find_spec("torchdiffeq") is not None:
    METHODS["torchdiffeq"] = torchdiffeq_adjoint


def gradients(method: Method, network: Network, depth: int) -> tuple[torch.Tensor, list[torch.Tensor], float]:
    """Output and gradients of the mean square, and the seconds of the processor that they took."""
    x, stacks = network.build(depth)
    started = time.process_time()
    output = method(network, x, stacks, depth)
    found = torch.autograd.grad(output.square().mean(), stacks)
    return output.detach(), list(found), time.process_time() - started


def relative_error(found: Stacks, exact: Stacks) -> float:
    flat, true = (torch.cat([tensor.flatten() for tensor in tensors]).double() for tensors in (found, exact))
    return float((flat - true).norm() / true.norm())


def saved(method: Method, network: Network, depth: int) -> int:
    x, stacks = network.build(depth)
    with counting_saved_bytes(exclude=[x, *stacks]) as count:
        method(network, x, stacks, depth).square().mean()
    return count.total


def peak(method: Method, network: Network, depth: int) -> int:
    x, stacks = network.build(depth)
    return peak_bytes(lambda: torch.autograd.grad(method(network, x, stacks, depth).square().mean(), stacks))


def compare(network: Network, depth: int = 64) -> None:
    """One line a method: time beside backprop at `depth`, memory at two depths (tied weights), gradient error."""
    methods = {name: f for name, f in METHODS.items() if name != "torchdiffeq" or network.tied}
    output, exact, _ = gradients(backprop, network, depth)
    rounding = 1e-4 if network.dtype == torch.float32 else 1e-12
    errors = {}
    for name, method in methods.items():
        found, parts, _ = gradients(method, network, depth)
        torch.testing.assert_close(found, output, rtol=rounding, atol=rounding)
        errors[name] = relative_error(parts, exact)
        assert errors[name] < (rounding if name in EXACT else 3 / depth), (name, errors[name])
    times: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(REPETITIONS):
        for name, method in methods.items():
            times[name].append(gradients(method, network, depth)[2])
    tied = Network(**(vars(network) | {"tied": True}))
    print(f"\n{network.name}; time and error at depth {depth}, memory with tied weights at depths {SHALLOW} and {DEEP}")
    print(f"{'':<13}{'time':>8}{'saved, kB':>20}{'ratio':>8}{'peak, kB':>20}{'ratio':>8}{'gradient error':>16}")
    for name, method in methods.items():
        ratio = statistics.median(own / base for own, base in zip(times[name], times["backprop"], strict=True))
        cells = ""
        for measure in (saved, peak):
            shallow, deep = (measure(method, tied, n) / 1e3 for n in (SHALLOW, DEEP))
            cells += f"{shallow:>9.1f} ->{deep:>8.0f}{deep / shallow:>8.3f}"
        print(f"{name:<13}{ratio:>7.2f}x{cells}{errors[name]:>16.1e}", flush=True)


def batching(sweep: Network = SWEEP, depths: Sequence[int] = (8, 16, 32, 64)) -> None:
    """A sweep of depths for all seeds, as one program a depth and as a loop of one network a depth and seed."""
    for method in (backprop, adjoint):

        def together(method: Method = method) -> list[list[torch.Tensor]]:
            return [_per_seed(method, *sweep.build(depth), depth) for depth in depths]

        def looped(method: Method = method) -> list[list[torch.Tensor]]:
            found = []
            for depth in depths:
                x, stacks = sweep.build(depth)
                parts = [
                    _per_seed(method, x[s : s + 1], [w.detach()[:, s : s + 1].requires_grad_() for w in stacks], depth)
                    for s in range(sweep.seeds)
                ]
                found.append([torch.cat(tensors, 1) for tensors in zip(*parts, strict=True)])
            return found

        for a, b in zip(together(), looped(), strict=True):
            assert relative_error(a, b) < 1e-5
        ratios = []
        for _ in range(5):
            started = time.perf_counter()
            together()
            middle = time.perf_counter()
            looped()
            ratios.append((time.perf_counter() - middle) / (middle - started))
        print(f"{method.__name__}: one program is {statistics.median(ratios):.1f} x faster than a loop over its seeds")


def _per_seed(method: Method, x: torch.Tensor, stacks: Stacks, depth: int) -> list[torch.Tensor]:
    """Gradients of the sum over seeds of each seed's mean square."""
    loss = method(SWEEP, x, stacks, depth).square().mean((1, 2)).sum()
    return list(torch.autograd.grad(loss, stacks))


def main() -> None:
    print(f"torch {torch.__version__}, one thread, medians of ratios of {REPETITIONS} interleaved repetitions")
    for network in NETWORKS:
        compare(network)
    print(f"\n{SWEEP.name}")
    batching()


if __name__ == "__main__":
    main()
