"""The order of training: every graded sample once an epoch, in groups that never mix problems."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.probes import Schedule
from harness.probes.minibatches import draw_batches

MASKS = st.tuples(st.integers(1, 12), st.integers(1, 30), st.integers(0, 99))


def mask(problems: int, samples: int, seed: int) -> torch.Tensor:
    return torch.rand(problems, samples, generator=torch.Generator().manual_seed(seed)) < 0.8


@given(MASKS, st.integers(1, 10), st.integers(0, 9), st.integers(1, 9))
@settings(max_examples=200, deadline=None)
def test_an_epoch_meets_every_graded_sample_once(shape: tuple[int, int, int], samples: int, groups: int, batches: int):
    mask_PN = mask(*shape)
    met_PN = torch.zeros(mask_PN.shape, dtype=torch.long)
    for batch in draw_batches(mask_PN, Schedule(samples=samples, groups=groups, batches=batches), epoch=3):
        assert batch.places_GS.shape[1] <= samples
        assert not groups or len(batch.problems_G) <= groups
        problems_GS = batch.problems_G[:, None].expand_as(batch.places_GS)
        met_PN.index_put_(
            (problems_GS[batch.mask_GS], batch.places_GS[batch.mask_GS]), torch.tensor(1), accumulate=True
        )
    assert torch.equal(met_PN, mask_PN.long())


def test_batches_are_as_even_as_can_be():
    sizes = [len(batch.problems_G) for batch in draw_batches(mask(50, 21, 0), Schedule(samples=5, groups=32), epoch=0)]
    assert max(sizes) - min(sizes) <= 1


def test_the_papers_batch_is_a_thousand_single_samples():
    whole = torch.ones(40, 50, dtype=torch.bool)
    batches = list(draw_batches(whole, Schedule(samples=1, groups=1000), epoch=0))
    assert [batch.mask_GS.shape for batch in batches] == [(1000, 1), (1000, 1)]
    assert len(set(batches[0].problems_G.tolist())) > 30  # problems are mixed


def test_each_problem_and_each_epoch_has_an_order_of_its_own():
    whole, schedule = torch.ones(2, 100, dtype=torch.bool), Schedule(samples=100, batches=1)
    (first,), (second,) = (list(draw_batches(whole, schedule, epoch)) for epoch in (0, 1))
    places = {int(p): row for batch in (first,) for p, row in zip(batch.problems_G, batch.places_GS, strict=True)}
    assert not torch.equal(places[0], places[1])
    assert not torch.equal(first.places_GS, second.places_GS)
