"""The tangent kernel of students: that of automatic differentiation, and the closed form of infinite width."""

import numpy as np
import torch

from resodectl.families.lazy.students import Student, normal_student
from resodectl.families.lazy.tangent import tangent_kernel
from resodectl.numerics.kernels.recursion import wide_kernels


def drawn(*labels: int) -> list[np.random.Generator]:
    return [np.random.default_rng(label) for label in labels]


def points(runs: int, count: int, dim: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(count).standard_normal((runs, count, dim)))


def test_it_is_the_product_of_jacobians() -> None:
    student = normal_student(drawn(0, 1), drawn(2, 3), 6, 3).doubled()
    inputs, others = points(2, 5, 3), points(2, 4, 3)
    for run in range(2):

        def values(hidden: torch.Tensor, output: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
            return Student(hidden[None], output[None]).values(at[None])[0]

        weights = student.hidden[run], student.output[run]
        left, right = (torch.func.jacrev(values, (0, 1))(*weights, at[run]) for at in (inputs, others))
        parts = [a.flatten(1) @ b.flatten(1).T for a, b in zip(left, right, strict=True)]
        torch.testing.assert_close(tangent_kernel(student, inputs, others)[run], parts[0] + parts[1])
        torch.testing.assert_close(tangent_kernel(student, inputs, others, "hidden")[run], parts[0])


def test_over_the_width_it_tends_to_the_kernel_of_infinite_width() -> None:
    width, tau = 200_000, 1.7
    student = normal_student(drawn(0), drawn(1), width // 2, 3).doubled(positive=True).scaled(tau)
    inputs = points(1, 5, 3)
    measured = tangent_kernel(student, inputs, inputs)[0] / width
    exact = tau**2 * wide_kernels(inputs[0], inputs[0], 1, "relu").tangent
    assert (measured - exact).abs().max() < 0.02 * exact.abs().max()
