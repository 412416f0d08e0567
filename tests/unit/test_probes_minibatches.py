"""The order of training: every graded sample once per epoch, in groups that never mix problems."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.probes import Schedule
from harness.probes.minibatches import draw_minibatches

MASKS = st.tuples(st.integers(1, 12), st.integers(1, 30), st.integers(0, 99))


def mask(problems: int, samples: int, seed: int) -> torch.Tensor:
    return torch.rand(problems, samples, generator=torch.Generator().manual_seed(seed)) < 0.8


@given(MASKS, st.integers(1, 10), st.integers(0, 9), st.integers(1, 9))
@settings(max_examples=200, deadline=None)
def test_an_epoch_meets_every_graded_sample_once(shape: tuple[int, int, int], samples: int, groups: int, batches: int):
    mask_PN = mask(*shape)
    met_PN = torch.zeros(mask_PN.shape, dtype=torch.long)
    for minibatch in draw_minibatches(mask_PN, Schedule(samples=samples, groups=groups, batches=batches), epoch=3):
        assert minibatch.places_GS.shape[1] <= samples
        assert not groups or len(minibatch.problems_G) <= groups
        problems_GS = minibatch.problems_G[:, None].expand_as(minibatch.places_GS)
        met_PN.index_put_(
            (problems_GS[minibatch.mask_GS], minibatch.places_GS[minibatch.mask_GS]), torch.tensor(1), accumulate=True
        )
    assert torch.equal(met_PN, mask_PN.long())


def test_batches_are_as_even_as_can_be():
    sizes = [
        len(minibatch.problems_G)
        for minibatch in draw_minibatches(mask(50, 21, 0), Schedule(samples=5, groups=32), epoch=0)
    ]
    assert max(sizes) - min(sizes) <= 1


def test_the_papers_batch_is_a_thousand_single_samples():
    whole = torch.ones(40, 50, dtype=torch.bool)
    minibatches = list(draw_minibatches(whole, Schedule(samples=1, groups=1000), epoch=0))
    assert [minibatch.mask_GS.shape for minibatch in minibatches] == [(1000, 1), (1000, 1)]
    assert len(set(minibatches[0].problems_G.tolist())) > 30  # problems are mixed


def test_the_order_differs_between_problems_and_between_epochs():
    whole, schedule = torch.ones(2, 100, dtype=torch.bool), Schedule(samples=100, batches=1)
    (first,), (second,) = (list(draw_minibatches(whole, schedule, epoch)) for epoch in (0, 1))
    places = {
        int(p): row for minibatch in (first,) for p, row in zip(minibatch.problems_G, minibatch.places_GS, strict=True)
    }
    assert not torch.equal(places[0], places[1])
    assert not torch.equal(first.places_GS, second.places_GS)
