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
    left_MD = torch.randn(probes, width, generator=generator).requires_grad_()
    right_RD = torch.randn(rows, width, generator=generator)
    slopes_MR = torch.randn(probes, rows, generator=generator)
    found_MR = product(left_MD, right_RD)
    (gradient_MD,) = torch.autograd.grad(found_MR, left_MD, slopes_MR)
    torch.testing.assert_close(found_MR.double(), left_MD.double() @ right_RD.double().T, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient_MD.double(), slopes_MR.double() @ right_RD.double(), rtol=1e-5, atol=1e-5)


def test_matrices_may_lie_in_memory_in_any_way(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(products, "LARGE", 1)
    generator = torch.Generator().manual_seed(0)
    left_RD, right_MD = torch.randn(6, 20, generator=generator).T[::2], torch.randn(6, 9, generator=generator).T
    torch.testing.assert_close(product(left_RD, right_MD), left_RD @ right_MD.T, rtol=1e-5, atol=1e-5)


def test_float64_stays_exact(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(products, "LARGE", 1)
    left_RD = torch.randn(20, 6, dtype=torch.float64)
    torch.testing.assert_close(product(left_RD, left_RD), left_RD @ left_RD.T, rtol=0, atol=0)
