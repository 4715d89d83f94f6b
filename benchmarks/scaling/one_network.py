"""The baseline of the norm figures: one module a layer, one network a repetition, gradients by autograd.

Written from the paper's description of its experiments (Marion et al. 2022, arXiv 2206.06929), in the way of its
official scripts: a fresh network for every repetition and depth, its layers as a ModuleList, the gradients of the first
and the last hidden state retained. Entries are uniform, as in those scripts, or Gaussian, of the same variance.
"""

import math
import time
from typing import Literal

import torch
from torch import nn

Law = Literal["uniform", "gaussian"]


def linear(fan_in: int, fan_out: int, law: Law) -> nn.Linear:
    """A layer without biases whose entries, drawn once, have the variance 1 / fan-in."""
    layer = nn.utils.skip_init(nn.Linear, fan_in, fan_out, bias=False)
    if law == "uniform":
        nn.init.uniform_(layer.weight, -math.sqrt(3 / fan_in), math.sqrt(3 / fan_in))
    else:
        nn.init.normal_(layer.weight, std=1 / math.sqrt(fan_in))
    return layer


class Residual(nn.Module):
    """V relu(Theta h) with independent entries of variance 1/d."""

    def __init__(self, dim: int, law: Law) -> None:
        super().__init__()
        self.inner, self.outer = linear(dim, dim, law), linear(dim, dim, law)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return self.outer(torch.relu(self.inner(h)))


class Network(nn.Module):
    """B h_L with h_0 = A x and h_{k+1} = h_k + L^-beta f_{k+1}(h_k); keeps its first and its last hidden state."""

    def __init__(self, depth: int, exponent: float, dim: int, law: Law, inputs: int = 64) -> None:
        super().__init__()
        self.first = linear(inputs, dim, law)
        self.layers = nn.ModuleList([Residual(dim, law) for _ in range(depth)])
        self.last = linear(dim, 1, law)
        self.scale = depth**-exponent

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = start = self.first(x)
        for layer in self.layers:
            h = h + self.scale * layer(h)
        self.states = start, h
        for state in self.states:
            state.retain_grad()
        return self.last(h)


def norms(depth: int, exponent: float, dim: int, law: Law) -> tuple[float, float, float, float]:
    """r_out, R_out, r_grad and R_grad of one fresh network with one input."""
    network = Network(depth, exponent, dim, law)
    x, y = torch.rand(1, 64), torch.rand(1, 1)
    (network(x) - y).square().sum().backward()
    first, last = network.states[0].grad, network.states[-1].grad
    assert first is not None
    assert last is not None
    start, end = network.states[0].detach(), network.states[-1].detach()
    return (
        float((end - start).norm() / start.norm()),
        float(end.norm() / start.norm()),
        float((first - last).norm() / last.norm()),
        float(first.norm() / last.norm()),
    )


def seconds(depth: int, exponent: float, dim: int, law: Law, networks: int) -> float:
    """Processor time of so many networks, one after the other."""
    started = time.process_time()
    for _ in range(networks):
        norms(depth, exponent, dim, law)
    return time.process_time() - started
