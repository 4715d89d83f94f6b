"""The memory-free adjoint: exact relations, orders, and ordinary use inside training."""

import math

import pytest
import torch
from torch.func import functional_call
from torch.nn.functional import conv2d, gelu

from resodectl.numerics.draws import normal
from resodectl.numerics.networks import residuals
from resodectl.numerics.ode.adjoint import integrate, layers_of, pull_back, trajectory
from resodectl.numerics.ode.schemes import EULER, HEUN
from resodectl.numerics.weights.depth import mlp_weights, weights

F64 = torch.float64
SCHEMES = [EULER, HEUN]


def scalar(x, theta):
    return theta[0] * x


def convolution(x, theta):
    """V * tanh(W * x + b) on images, the seeds folded in as groups of channels."""
    first, bias, second = theta
    seeds, batch, channels, *space = x.shape
    folded = x.transpose(0, 1).reshape(batch, seeds * channels, *space)
    hidden = torch.tanh(conv2d(folded, first.flatten(0, 1), bias.flatten(), padding=1, groups=seeds))
    out = conv2d(hidden, second.flatten(0, 1), padding=1, groups=seeds)
    return out.reshape(batch, seeds, channels, *space).transpose(0, 1)


MODULE = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 4)).to(F64)
NAMES = [name for name, _ in MODULE.named_parameters()]


def module(x, theta):
    return functional_call(MODULE, dict(zip(NAMES, theta, strict=True)), (x,))


def elementwise(x, theta):
    return torch.sin(theta[0] * x) + theta[1]


def network(name, depth, streams, kind="smooth"):
    """(residual, weights, input) of a named network of two seeds."""

    def stack(label, *shape):
        return weights(kind, streams(label), depth, shape)

    if name == "convolution":
        stacks = (stack("W", 3, 2, 3, 3) / 4, stack("b", 3) / 2, stack("V", 2, 3, 3, 3) / 4)
        return convolution, stacks, normal(streams("x"), (5, 2, 4, 4))
    if name == "module":
        shapes = [tuple(p.shape) for p in MODULE.parameters()]
        stacks = tuple(stack(f"p{i}", *shape)[:, 0] / 2 for i, shape in enumerate(shapes))
        return module, stacks, normal(streams("x"), (5, 4))[0]
    if name == "elementwise":
        return elementwise, (stack("a"), stack("b")), normal(streams("x"), ())
    activation = {"mlp-tanh": torch.tanh, "mlp-gelu": gelu}[name]
    stacks = mlp_weights(kind, {label: streams(label) for label in "WbV"}, depth, 4, 6)
    return residuals.mlp(activation), stacks, normal(streams("x"), (5, 4))


NETWORKS = ["mlp-tanh", "mlp-gelu", "convolution", "module", "elementwise"]


@pytest.fixture
def streams():
    from resodectl.experiment.context import stream

    return lambda label: [stream(seed, label) for seed in (0, 1)]


def gradients(scheme, residual, stacks, x, gradient, depth=None, step=None):
    """Output and gradients of half the mean square, for (x, *stacks)."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in (x, *stacks)]
    size = step or 1 / (depth or len(stacks[0]))
    output = integrate(scheme, residual, leaves[0], leaves[1:], size, gradient, depth)
    (output.square().mean() / 2).backward()
    return output.detach(), [leaf.grad for leaf in leaves]


def relative_error(found, exact):
    difference = math.sqrt(sum(float((a - b).square().sum()) for a, b in zip(found, exact, strict=True)))
    return difference / math.sqrt(sum(float(b.square().sum()) for b in exact))


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
@pytest.mark.parametrize("name", NETWORKS)
class TestEveryNetwork:
    def test_the_adjoint_has_the_output_of_backprop(self, scheme, name, streams):
        residual, stacks, x = network(name, 6, streams)
        assert torch.equal(
            gradients(scheme, residual, stacks, x, "adjoint")[0], gradients(scheme, residual, stacks, x, "backprop")[0]
        )

    @pytest.mark.parametrize("depth", [3, 40])
    def test_given_the_true_activations_it_is_autograd(self, scheme, name, depth, streams):
        residual, stacks, x = network(name, depth, streams)
        output, exact = gradients(scheme, residual, stacks, x, "backprop")
        states = [x, *trajectory(scheme, residual, x, layers_of(stacks), 1 / depth)][-2::-1]
        cotangent = output / output.numel()
        wanted = [True] * len(stacks)
        found, sums = pull_back(scheme, residual, states, stacks, 1 / depth, cotangent, wanted)
        assert relative_error([found, *sums], exact) < 1e-12

    def test_without_reconstruction_the_output_stands_for_every_activation(self, scheme, name, streams):
        residual, stacks, x = network(name, 20, streams)
        output, found = gradients(scheme, residual, stacks, x, "unreconstructed")
        assert torch.equal(output, gradients(scheme, residual, stacks, x, "backprop")[0])
        cotangent, wanted = output / output.numel(), [True] * len(stacks)
        pulled, sums = pull_back(scheme, residual, [output] * 20, stacks, 1 / 20, cotangent, wanted)
        assert relative_error(found, [pulled, *sums]) < 1e-13

    def test_its_error_falls_with_the_order_of_the_local_defect_for_smooth_weights(self, scheme, name, streams):
        errors = []
        for depth in (64, 128):
            residual, stacks, x = network(name, depth, streams)
            exact, found = (gradients(scheme, residual, stacks, x, g)[1] for g in ("backprop", "adjoint"))
            errors.append(relative_error(found[1:], exact[1:]))
        assert math.log2(errors[0] / errors[1]) == pytest.approx({"euler": 1, "heun": 3}[scheme.name], abs=0.25)

    def test_tied_weights_get_the_sum_of_the_gradients_of_their_copies(self, scheme, name, streams):
        depth = 19  # more than one block of steps
        residual, stacks, x = network(name, depth, streams, kind="tied")
        _, copies = gradients(scheme, residual, stacks, x, "adjoint")
        _, tied = gradients(scheme, residual, [stack[:1] for stack in stacks], x, "adjoint", depth)
        sums = [copies[0], *(copy.sum(0, keepdim=True) for copy in copies[1:])]
        assert relative_error(tied, sums) < 1e-13

    def test_seeds_and_samples_do_not_see_how_states_are_grouped_into_blocks(self, scheme, name, streams, monkeypatch):
        residual, stacks, x = network(name, 21, streams)
        _, blocks = gradients(scheme, residual, stacks, x, "adjoint")
        monkeypatch.setattr("resodectl.numerics.ode.adjoint.BLOCK_STEPS", 1)
        _, singly = gradients(scheme, residual, stacks, x, "adjoint")
        assert relative_error(blocks, singly) < 1e-13


@pytest.mark.parametrize("a", [-1.3, 0.4, 2.0])
def test_relative_gradient_error_of_a_tied_scalar_network_is_that_of_its_activations(a):
    depth, x = 12, torch.tensor(1.7, dtype=F64)
    stacks = (torch.full((depth,), a, dtype=F64),)
    _, exact = gradients(EULER, scalar, stacks, x, "backprop")
    _, found = gradients(EULER, scalar, stacks, x, "adjoint")
    expected = (1 - a**2 / depth**2) ** (depth - torch.arange(depth, dtype=F64)) - 1
    torch.testing.assert_close(found[1] / exact[1] - 1, expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found[0], exact[0], rtol=1e-14, atol=0)  # a linear network's cotangents are exact


def test_gradients_of_an_untied_scalar_heun_network_are_the_derivatives_at_the_reconstructions():
    depth, x = 9, torch.tensor(1.7, dtype=F64)
    a = torch.randn(depth, dtype=F64, generator=torch.Generator().manual_seed(3))
    p, s = a[:-1] * a[1:] / (2 * depth**2), (a[:-1] + a[1:]) / (2 * depth)
    growth, shrink = 1 + p + s, (1 + p) ** 2 - s**2  # x_{n+1}/x_n and the factor of a step and its inverse
    output = x * growth.prod()
    expected = torch.zeros(depth, dtype=F64)
    for n in range(depth - 1):
        reconstructed = x * growth[:n].prod() * shrink[n:].prod()
        cotangent = output * growth[n + 1 :].prod()
        expected[n] += cotangent * reconstructed * (a[n + 1] / (2 * depth**2) + 1 / (2 * depth))
        expected[n + 1] += cotangent * reconstructed * (a[n] / (2 * depth**2) + 1 / (2 * depth))
    found = gradients(HEUN, scalar, (a,), x, "adjoint")[1][1]
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-14)


def test_float32_hides_the_order_of_heun(streams):
    def error(dtype):
        residual, stacks, x = network("mlp-tanh", 256, streams)
        stacks, x = [stack.to(dtype) for stack in stacks], x.to(dtype)
        exact, found = (gradients(HEUN, residual, stacks, x, g)[1] for g in ("backprop", "adjoint"))
        return relative_error(found, exact)

    assert error(torch.float32) > 5 * error(F64)


class TestOrdinaryTraining:
    def test_an_optimizer_learns_with_the_adjoint_as_with_backprop(self, streams):
        def losses(gradient):
            torch.manual_seed(0)
            depth = 24
            residual, stacks, x = network("module", depth, streams)
            stem, head = torch.nn.Linear(4, 4).to(F64), torch.nn.Linear(4, 1).to(F64)
            stacks = [torch.nn.Parameter(stack.clone()) for stack in stacks]
            optimizer = torch.optim.Adam([*stacks, *stem.parameters(), *head.parameters()], lr=0.02)
            seen = []
            for _ in range(40):
                optimizer.zero_grad()
                loss = (head(integrate(HEUN, residual, stem(x), stacks, 1 / depth, gradient)) - 1).square().mean()
                loss.backward()
                optimizer.step()
                seen.append(loss.item())
            return seen

        adjoint, backprop = losses("adjoint"), losses("backprop")
        assert adjoint[-1] < adjoint[0] / 20
        assert adjoint == pytest.approx(backprop, rel=2e-2)

    def test_two_networks_in_one_graph_share_their_weights(self, streams):
        residual, stacks, x = network("mlp-tanh", 300, streams)

        def composed(gradient):
            leaves = [stack.clone().requires_grad_() for stack in stacks]
            middle = integrate(HEUN, residual, x, leaves, 1 / 300, gradient)
            integrate(EULER, residual, torch.tanh(middle), leaves, 1 / 300, gradient).square().mean().backward()
            return [leaf.grad for leaf in leaves]

        assert relative_error(composed("adjoint"), composed("backprop")) < 1e-2

    def test_the_input_may_need_no_gradient(self, streams):
        residual, stacks, x = network("mlp-tanh", 5, streams)
        _, expected = gradients(EULER, residual, stacks, x, "adjoint")
        leaves = [stack.clone().requires_grad_() for stack in stacks]
        (integrate(EULER, residual, x, leaves, 1 / 5, "adjoint").square().mean() / 2).backward()
        assert all(torch.equal(leaf.grad, value) for leaf, value in zip(leaves, expected[1:], strict=True))

    @pytest.mark.parametrize("frozen", [(0,), (0, 1, 2)])
    def test_weights_may_be_frozen(self, streams, frozen):
        residual, stacks, x = network("mlp-tanh", 5, streams)
        _, expected = gradients(HEUN, residual, stacks, x, "adjoint")
        leaves = [stack.clone().requires_grad_(i not in frozen) for i, stack in enumerate(stacks)]
        start = x.clone().requires_grad_()
        (integrate(HEUN, residual, start, leaves, 1 / 5, "adjoint").square().mean() / 2).backward()
        torch.testing.assert_close(start.grad, expected[0], rtol=1e-13, atol=0)
        for leaf, value in zip(leaves, expected[1:], strict=True):
            assert leaf.grad is None or torch.allclose(leaf.grad, value, rtol=1e-12)
            assert (leaf.grad is None) == (not leaf.requires_grad)

    def test_a_stack_that_the_residual_ignores_gets_zeros(self, streams):
        x, a = torch.ones(3, dtype=F64), torch.ones(4, dtype=F64)
        found = gradients(EULER, scalar, (a, a), x, "adjoint")[1]
        assert torch.equal(found[2], torch.zeros(4, dtype=F64))

    def test_without_gradients_it_only_runs_forward(self, streams):
        residual, stacks, x = network("mlp-tanh", 5, streams)
        leaves = [stack.clone().requires_grad_() for stack in stacks]
        with torch.no_grad():
            assert not integrate(EULER, residual, x, leaves, 1 / 5, "adjoint").requires_grad

    def test_second_derivatives_are_refused_instead_of_wrong(self, streams):
        residual, stacks, x = network("mlp-tanh", 5, streams)
        start = x.clone().requires_grad_()
        output = integrate(EULER, residual, start, stacks, 1 / 5, "adjoint").square().sum()
        (first,) = torch.autograd.grad(output, start, create_graph=True)
        with pytest.raises(RuntimeError, match="once_differentiable"):
            first.square().sum().backward()

    def test_weights_changed_before_the_backward_pass_are_noticed(self, streams):
        residual, stacks, x = network("mlp-tanh", 5, streams)
        leaves = [stack.clone().requires_grad_() for stack in stacks]
        loss = integrate(EULER, residual, x, leaves, 1 / 5, "adjoint").square().mean()
        with torch.no_grad():
            leaves[0].add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_gradients_keep_dtype_and_shape(self, streams, dtype):
        residual, stacks, x = network("convolution", 4, streams)
        stacks, x = [stack.to(dtype) for stack in stacks], x.to(dtype)
        for leaf, gradient in zip((x, *stacks), gradients(HEUN, residual, stacks, x, "adjoint")[1], strict=True):
            assert (gradient.dtype, gradient.shape) == (dtype, leaf.shape)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_gpu_finds_the_same_gradients(streams):
    residual, stacks, x = network("mlp-tanh", 40, streams)
    _, cpu = gradients(HEUN, residual, stacks, x, "adjoint")
    _, gpu = gradients(HEUN, residual, [stack.cuda() for stack in stacks], x.cuda(), "adjoint")
    assert relative_error([gradient.cpu() for gradient in gpu], cpu) < 1e-10
