"""The runs that rows on preferences need, each made once in its own folder; a rerun does what is missing.

For each policy: the training pairs as it reads them, with a probe, and its replies to the test prompts. A test prompt
that is also a training prompt is left out.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, cached_property
from math import isnan
from pathlib import Path

from benchmarks.pairs import PairSet, open_pairs
from benchmarks.pairs.prompts import as_problem
from harness.errors import QprobeError
from harness.models.model import Model
from harness.models.sampling import Sampling
from harness.probes import load_probe
from harness.progress import SILENT, Progress
from harness.reports.preferences import preference_report
from harness.rewards.judge import open_judge
from harness.rewards.scorer import open_scorer
from harness.runs.completion import Completion
from harness.runs.store import Store
from harness.runs.training_problems import HELD_OUT, words
from harness.stages.finetune import finetune
from harness.stages.finetune_options import FinetuneOptions
from harness.stages.options import PreferenceOptions
from harness.stages.paper.options import PaperOptions
from harness.stages.paper.runs import Figure, check_model
from harness.stages.preferences import run_preferences, usable_pairs
from harness.stages.problems import Problems, load_benchmark
from harness.stages.run import Run
from harness.stages.score import score
from harness.stages.win_rates import CHOSEN, Replies, by_judge, by_rewards, comparisons, read_samples
from harness.stats import SelectionRule
from harness.stats.win_rates import WinRate

BASE, SFT, DPO, KTO = "", "sft", "dpo", "kto"
"""The policies: the model itself, and its adapters by method."""
SAMPLE, PROBE = "base", "probe"
"""Names of a policy's rows, beside those of `harness.stages.win_rates`: one sample, and the probe's choice."""
OBJECTIVE = "pairwise"
PAIRS = "hh"


class PreferenceRuns:
    """The runs of a reproduction in a folder."""

    test_names: tuple[str, ...] = ("preferences",)

    def __init__(self, folder: Path, options: PaperOptions, progress: Progress = SILENT) -> None:
        self.folder, self.options, self.progress = folder / "preferences", options, progress
        # each result is made once per command
        self.pairs = cache(self._pairs)
        self.replies = cache(self._replies)
        self.win_rates = cache(self._win_rates)
        self.prompts = cache(self._prompts)

    def check(self) -> None:
        """Raise an error for what every row would fail at: the model, the pairs, or what judges."""
        options = self.options
        check_model(options)
        options.refuse_unread()
        if options.judge and options.reward_model:
            raise QprobeError("Give either --judge MODEL or --reward-model MODEL.")
        if options.judge:
            open_judge(options.judge, self.folder, options.device)
        if options.reward_model:
            open_scorer("classifier", options.reward_model, device=options.device)
        if len(options.tests) > 1 or len(options.splits) > 1:
            raise QprobeError("--preferences takes one pair set in --test-on, and one split in --split.")
        if self.split == HELD_OUT:
            raise QprobeError(f"The split {HELD_OUT} is held out: name another one in --split.")
        usable_pairs(self.training_set, split=self.split)
        self.prompts()
        model = Model(options.model, device=options.device)
        model.engine()
        model.embedder(self.layers, None)

    @property
    def facts(self) -> list[str]:
        """The lines that a reader needs before those of the rows."""
        options = self.options
        judge = options.judge or (f"rewards of {options.reward_model}" if options.reward_model else "nothing")
        limits = "" if options.train_limit is None else f", the first {options.train_limit} pairs to train on"
        limits += "" if options.limit is None else f", the first {options.limit} prompts to test on"
        return [
            f"Ours: {options.model}, {options.k} replies per prompt, pairs of {self.training_set.name}{limits}; judged "
            f"by {judge}. Paper: LLaMA-7B fine-tuned on HH, OASST and SHP, 48 replies, 40,067 pairs; judged by GPT-4.",
            "Win rates against the reply that people chose, ties counting one half. Their intervals are over our "
            "prompts; the difference is between two models, judges and sets of prompts, the paper's figure taken as "
            "exact.",
            "Code: whether the paper's public code has the row. In parentheses: what had to be chosen, or differs. No "
            "judge: give --judge or --reward-model. No rewards: give --reward-model.",
        ]

    # -- data ----------------------------------------------------------------------------------------------------

    @property
    def training_name(self) -> str:
        """The name of the pair set trained on."""
        return self.options.train or PAIRS

    @cached_property
    def training_set(self) -> PairSet:
        """The pair set trained on."""
        return open_pairs(self.training_name)

    @property
    def split(self) -> str:
        """The split trained on."""
        return self.options.splits[0] if self.options.splits else "train"

    @property
    def test_name(self) -> str:
        """The name of the pair set tested on."""
        return self.options.tests[0] if self.options.tests else self.training_name

    def _prompts(self) -> Problems:
        """Return the prompts tested on, without those trained on: of another pair set all, else of the split test."""
        split = None if self.options.tests else HELD_OUT
        given = load_benchmark(f"pairs:{self.test_name}", split=split)
        trained = {words(as_problem(pair)) for pair in self.training_set.pairs() if pair.split == self.split}
        chosen = [problem for problem in given if words(problem) not in trained]
        if not chosen:
            raise QprobeError(f"All {len(given)} test prompts are training prompts too: name other pairs in --test-on.")
        return replace(given, chosen=tuple(chosen[: self.options.limit]))

    # -- models --------------------------------------------------------------------------------------------------

    @property
    def layers(self) -> str:
        """The layers that probes read."""
        return self.options.layers or "-1"

    def model(self, kind: str) -> Model:
        """Return the model of a policy; its adapter is trained first."""
        options = self.options
        adapter = str(self._adapter(kind)) if kind else None
        sampling = Sampling(max_new_tokens=options.max_new_tokens)
        return Model(options.model, adapter, sampling, options.batch_size, options.device)

    def _adapter(self, method: str) -> Path:
        options = FinetuneOptions(
            method=method,
            model=self.options.model,
            epochs=self.options.epochs,
            seed=self.options.seed,
            device=self.options.device,
        )
        with Store(self.pairs(BASE)) as store:
            return finetune(store, options, self.progress)[0]

    # -- stages --------------------------------------------------------------------------------------------------

    def _pairs(self, kind: str) -> Path:
        """Read the training pairs by a policy, train a probe on them, and return the run's folder."""
        options, folder = self.options, self.folder / f"{kind or 'base'}-pairs"
        settings = PreferenceOptions(
            pairs=self.training_name,
            split=self.split,
            limit=options.train_limit,
            embedder=self.model(kind).name,
            layers=self.layers,
            objectives=(OBJECTIVE,),
            preset=options.preset,
            repeats=1,
            log_probability=False,
            seed=options.seed,
            device=options.device,
        )
        self.progress.message(f"{folder.name}: {self.training_name}, {self.split}.")
        with Store(folder, create=True) as store:
            run_preferences(store, settings, self.progress)
        return folder

    def _replies(self, kind: str) -> Path:
        """Draw a policy's replies to the test prompts, and return the run's folder."""
        model, options, folder = self.model(kind), self.options, self.folder / f"{kind or 'base'}-replies"
        self.progress.message(f"{folder.name}: prompts of {self.test_name}.")
        with Run(folder, progress=self.progress) as run:
            reader = model.embedder(self.layers, None)
            run.generate(self.prompts(), model, k=options.k, seed=options.seed, reader=reader)
        return folder

    def _win_rates(self, kind: str) -> Mapping[str, Figure]:
        """Judge a policy's replies against the chosen ones, and return the win rate of each way to select."""
        options = self.options
        if not options.judge and not options.reward_model:
            raise QprobeError("no judge")
        probe = load_probe(self.pairs(kind) / "probes" / f"{OBJECTIVE}.safetensors")
        test_set = open_pairs(self.test_name)
        with Store(self.replies(kind)) as store:
            replies = read_samples(store, probe, test_set, self.progress, device=options.device)
            if options.judge:
                rates = self._judged(replies)
            else:
                rewards = self._scored(store)
                rates = by_rewards(replies, PROBE, SelectionRule(), rewards, self._chosen_rewards(replies)).rows
        found = {rate.name: rate for rate in rates if rate.other == CHOSEN}
        return {name: Figure(rate.rate, rate.low, rate.high) for name, rate in found.items()}

    def _judged(self, replies: Replies) -> list[WinRate]:
        judge = open_judge(self.options.judge, self.folder, self.options.device)
        asked = comparisons(replies, PROBE, SelectionRule(), self.options.seed)
        against_chosen = {names: own for names, own in asked.items() if names[1] == CHOSEN}
        differing = [one for own in against_chosen.values() for one in own if one.first != one.second]
        self.progress.message(f"{judge.cost(differing)}.")
        most = replies.mask_PN.shape[1]
        return by_judge(judge, against_chosen, PROBE, SelectionRule(), most, self.progress).rows

    def _scored(self, store: Store) -> Path:
        model = self.options.reward_model
        scorer = open_scorer("classifier", model, device=self.options.device)
        return score(store, scorer, "classifier", model, progress=self.progress)[0]

    def _chosen_rewards(self, replies: Replies) -> Path:
        """Score the chosen replies, as a run of one sample per prompt."""
        prompts = {problem.id: problem for problem in self.prompts()}
        chosen = zip(replies.problem_ids, replies.prompts, replies.chosen, strict=True)
        with Store(self.folder / "chosen-replies", create=True) as store:
            store.add_problems(prompts.values())
            store.add_completions(Completion(name, 0, prompt, reply, prompt + reply) for name, prompt, reply in chosen)
            return self._scored(store)

    # -- figures -------------------------------------------------------------------------------------------------

    def win_rate(self, kind: str, policy: str) -> Figure:
        """Return the win rate of a policy's reply. Raises QprobeError without a judge, or a verdict."""
        rates = self.win_rates(kind)
        if policy not in rates:
            raise QprobeError("no rewards")
        if isnan(rates[policy].value):
            raise QprobeError("no verdict")
        return rates[policy]

    def accuracy(self) -> Figure:
        """Return the accuracy of the model's own probe on pairs of prompts that it was not trained on."""
        with Store(self.pairs(BASE), read_only=True) as store:
            row = preference_report(store)[OBJECTIVE]
        return Figure(row.value, row.low, row.high)
