"""What can be set about training a probe: what is chosen for each probe, and what a whole program shares."""

from dataclasses import dataclass

from harness.probes.samples import View


@dataclass(frozen=True)
class Hyperparameters:
    """One way to train a probe; nested selection chooses between several."""

    views: tuple[View, ...]  # what the probe reads
    form: str = "linear"
    l2: float = 1e-2  # weight, in the loss, of the squared norm of the linear maps of standardised vectors
    learning_rate: float = 1e-3
    beta: float = 0.1  # temperature of the policy, in the objectives that train one


@dataclass(frozen=True)
class Schedule:
    """What the probes of one program share. Batches are cut either by number or by size."""

    epochs: int = 40  # at most
    samples: int = 25  # the most samples of one problem in a group: what an objective sees of a problem at once
    batches: int = 16  # batches an epoch, where `groups` does not say otherwise
    groups: int = 0  # groups a batch; 0 leaves it to `batches`
    patience: int = 8  # epochs without a better validation figure before a probe stops
    decay: bool = True  # the learning rate falls to zero as half a cosine over `epochs`
    standardise: bool = True  # with the mean and scale of each probe's own training samples
    seed: int = 0  # of the order of the samples
