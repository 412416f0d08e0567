"""Hyperparameters of one probe, and the schedule that all probes trained together share."""

from dataclasses import dataclass

from harness.probes.samples import View


@dataclass(frozen=True)
class Hyperparameters:
    """The hyperparameters of one probe; nested selection chooses between several."""

    views: tuple[View, ...]  # layers and poolings that the probe reads
    form: str = "linear"
    l2: float = 1e-2  # weight, in the loss, of the squared norm of the linear maps of standardised vectors
    learning_rate: float = 1e-3  # 0 for a probe that is solved in closed form
    beta: float = 0.1  # temperature of the probe policy, for the objectives that train one

    @property
    def in_closed_form(self) -> bool:
        """True for a probe that is solved, without epochs."""
        return not self.learning_rate


@dataclass(frozen=True)
class Schedule:
    """The schedule of all probes trained together. `groups` is the size of a minibatch, or `batches` their number."""

    epochs: int = 40  # at most
    samples: int = 25  # at most so many samples of one problem per group: an objective compares samples within a group
    batches: int = 16  # minibatches per epoch, where `groups` is 0
    groups: int = 0  # groups per minibatch; 0 leaves it to `batches`
    patience: int = 12  # epochs without a better validation figure after which a probe stops
    patience_behind: int = 2  # likewise of the worse half of the candidates that a selection decides between
    close: int = 8  # the first epochs, each of which is followed by a validation; of the others, every second one is
    decay: bool = True  # the learning rate falls to zero as half a cosine over `epochs`
    standardise: bool = True  # by the mean and scale of each probe's own training samples
    seed: int = 0  # seed of the order of the samples

    def validates(self, epoch: int) -> bool:
        """Return whether probes are validated after an epoch, counted from 0: late epochs change them little."""
        return epoch < self.close or epoch == self.epochs - 1 or (epoch - self.close) % 2 == 1
