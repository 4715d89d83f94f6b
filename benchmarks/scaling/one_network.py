"""The baseline of the norm figures: one module a layer, one network a repetition, gradients by autograd.

Written from the paper's description of its experiments (Marion et al. 2022, arXiv 2206.06929), in the way of its
official scripts: a fresh network for every repetition and depth, its layers as a ModuleList, gradients of the hidden
states retained.
"""

import math
import time

import torch
from torch import nn


class Residual(nn.Module):
    """V relu(Theta h) with independent N(0, 1/d) entries."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.inner = nn.Linear(dim, dim, bias=False)
        self.outer = nn.Linear(dim, dim, bias=False)
        for layer in (self.inner, self.outer):
            nn.init.normal_(layer.weight, std=1 / math.sqrt(dim))

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return self.outer(torch.relu(self.inner(h)))


class Network(nn.Module):
    """B h_L with h_0 = A x and h_{k+1} = h_k + L^-beta f_{k+1}(h_k); keeps its hidden states."""

    def __init__(self, depth: int, exponent: float, dim: int, inputs: int = 64) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, dim, bias=False)
        self.layers = nn.ModuleList([Residual(dim) for _ in range(depth)])
        self.last = nn.Linear(dim, 1, bias=False)
        nn.init.normal_(self.last.weight, std=1 / math.sqrt(dim))
        self.scale = depth**-exponent

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.first(x)
        self.states = [h]
        h.retain_grad()
        for layer in self.layers:
            h = h + self.scale * layer(h)
            h.retain_grad()
            self.states.append(h)
        return self.last(h)


def norms(depth: int, exponent: float, dim: int) -> tuple[float, float, float, float]:
    """r_out, R_out, r_grad and R_grad of one fresh network with one input."""
    network = Network(depth, exponent, dim)
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


def seconds(depth: int, exponent: float, dim: int, networks: int) -> float:
    """Processor time of so many networks, one after the other."""
    started = time.process_time()
    for _ in range(networks):
        norms(depth, exponent, dim)
    return time.process_time() - started
