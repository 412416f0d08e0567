"""Tests are known to be pure from their byte code, which every version of Python lays out differently."""

import pytest

from sandbox.guest.purity import MODULES, is_pure


@pytest.mark.parametrize("names", [0, 1, 254, 255, 256, 257, 600, 70_000])
@pytest.mark.parametrize(("module", "pure"), [("math", True), ("numpy", False), ("numpy.linalg", False)])
@pytest.mark.parametrize("statement", ["import {}", "import {} as other", "from {} import sin"])
def test_imports_behind_many_names(names: int, module: str, pure: bool, statement: str):
    """Every name has a number, and those above 255 take more than one instruction."""
    source = "".join(f"n{number} = {number % 7}\n" for number in range(names)) + statement.format(module)
    assert is_pure(compile(source, "x", "exec")) is pure


@pytest.mark.parametrize("module", sorted(MODULES))
def test_modules_that_tests_may_use(module: str):
    assert is_pure(compile(f"import {module}\nassert {module}", "x", "exec"))


@pytest.mark.parametrize(
    "source",
    [
        "def check(c):\n    import numpy",
        "class A:\n    def f(self):\n        import numpy",
        "class B:\n    from numpy import array",
        "async def check(c):\n    for _ in c:\n        import numpy",
    ],
)
def test_imports_within_functions_and_classes(source: str):
    assert not is_pure(compile(source, "x", "exec"))
