"""The tangent kernel of two-layer ReLU students, all runs at once (Chizat, Oyallon & Bach 2019, arXiv 1812.07956)."""

import torch

from resodectl.families.lazy.choices import Layers
from resodectl.families.lazy.students import Student


def tangent_kernel(
    student: Student, inputs: torch.Tensor, others: torch.Tensor, layers: Layers = "both"
) -> torch.Tensor:
    """<Df(x), Df(x')> between inputs `(runs, n, d)` and `(runs, k, d)`: `(runs, n, k)`.

    The hidden layer's part is sum_j a_j^2 1[<b_j, x> > 0] 1[<b_j, x'> > 0] <x, x'>, the output layer's
    sum_j relu(<b_j, x>) relu(<b_j, x'>).
    """
    left, right = (torch.bmm(of, student.hidden.mT) for of in (inputs, others))
    there, here = ((of > 0).to(of.dtype) * student.output.unsqueeze(1) for of in (left, right))
    hidden = torch.bmm(there, here.mT) * torch.bmm(inputs, others.mT)
    return hidden if layers == "hidden" else hidden + torch.bmm(left.relu(), right.relu().mT)
