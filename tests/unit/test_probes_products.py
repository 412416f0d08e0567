"""Large products by oneDNN, against float64."""

import pytest
import torch

from harness.probes import products
from harness.probes.products import product


@pytest.mark.parametrize("least", [1, 10**12])
@pytest.mark.parametrize("shape", [(7, 3, 5), (1, 1, 1), (64, 130, 33)])
def test_a_product_and_its_gradient(shape: tuple[int, int, int], least: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(products, "LARGE", least)
    generator = torch.Generator().manual_seed(0)
    rows, probes, width = shape
    left_RD = torch.randn(rows, width, generator=generator)
    right_MD = torch.randn(probes, width, generator=generator).requires_grad_()
    slopes_RM = torch.randn(rows, probes, generator=generator)
    found_RM = product(left_RD, right_MD)
    (gradient_MD,) = torch.autograd.grad(found_RM, right_MD, slopes_RM)
    torch.testing.assert_close(found_RM.double(), left_RD.double() @ right_MD.double().T, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient_MD.double(), slopes_RM.double().T @ left_RD.double(), rtol=1e-5, atol=1e-5)


def test_matrices_may_lie_in_memory_in_any_way(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(products, "LARGE", 1)
    generator = torch.Generator().manual_seed(0)
    left_RD, right_MD = torch.randn(6, 20, generator=generator).T[::2], torch.randn(6, 9, generator=generator).T
    torch.testing.assert_close(product(left_RD, right_MD), left_RD @ right_MD.T, rtol=1e-5, atol=1e-5)


def test_float64_stays_exact(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(products, "LARGE", 1)
    left_RD = torch.randn(20, 6, dtype=torch.float64)
    torch.testing.assert_close(product(left_RD, left_RD), left_RD @ left_RD.T, rtol=0, atol=0)
