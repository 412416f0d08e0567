"""The rows of the paper's tables on code: its figures, whether its public code has the row, and what had to be chosen.

The figures are of arXiv 2402.14688, tables 1 and 2, by Code-LLaMA-7B and gpt-3.5-turbo; CodeT's is of arXiv 2207.10397.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.stages.paper.runs import API, BASE, FEW, SFT, Figure, PaperRuns

MBPP, HUMANEVAL = "mbpp", "humaneval"
YES, PART, NO = "yes", "part", "no"

SHOTS_CHOSEN = "which samples are shown, and their order; greedy"
SFT_CHOSEN = "LoRA's rank, layers, rate, epochs, samples per problem; greedy"
PROBE_ADDED = "a combination that the paper names and gives no figure of; L_PG"
API_CODE = "the paper's embeddings of 70B cannot be traced to its code"


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One row: how it is made, and the paper's figures by benchmark."""

    name: str
    text: str
    make: Callable[[Any, str], Figure]  # of the table's runs, and a test's name
    code: str  # whether the public code has it
    paper: Mapping[str, float] = field(default_factory=dict)
    chosen: str = ""  # what the paper and its code leave open


def _reported(kind: str, row: str) -> Callable[[PaperRuns, str], Figure]:
    return lambda runs, test: runs.figure(kind + test, row)


def _oracle(kind: str) -> Callable[[PaperRuns, str], Figure]:
    return lambda runs, test: runs.figure(kind + test, f"pass@{runs.options.k}")


def _rewarded(method: str) -> Callable[[PaperRuns, str], Figure]:
    return lambda runs, test: runs.figures(test, (method,))[method]


def _probed(kind: str, objective: str, location: str = "res") -> Callable[[PaperRuns, str], Figure]:
    return lambda runs, test: runs.transferred(kind, location)[test][objective]


def _both(mbpp: float, humaneval: float) -> dict[str, float]:
    return {MBPP: mbpp, HUMANEVAL: humaneval}


ROWS = (
    PaperRow("pass@1", "a random sample", _reported(BASE, "pass@1"), YES, _both(0.2938, 0.2428)),
    PaperRow("greedy", "the greedy completion", _reported(BASE, "greedy"), YES, _both(0.3760, 0.3049)),
    PaperRow("few-shot", "5-shot on successes", _reported(FEW, "greedy"), NO, _both(0.42, 0.33), SHOTS_CHOSEN),
    PaperRow("few-shot-probe", "5-shot and L_PG", _probed(FEW, "pg"), NO, chosen=PROBE_ADDED),
    PaperRow("sft", "fine-tuned on successes", _reported(SFT, "greedy"), NO, _both(0.42, 0.32), SFT_CHOSEN),
    PaperRow("sft-probe", "fine-tuned and L_PG", _probed(SFT, "pg"), NO, chosen=PROBE_ADDED),
    PaperRow(
        "prompted", "prompted reward model", _rewarded("prompted"), NO, _both(0.31, 0.25), "the question, and its score"
    ),
    PaperRow(
        "reward",
        "fine-tuned reward model",
        _rewarded("classifier"),
        NO,
        _both(0.34, 0.26),
        "LoRA's settings, the head, its loss",
    ),
    PaperRow("mse", "probe, L_Q", _probed(BASE, "mse"), YES, _both(0.3774, 0.2892)),
    PaperRow("ce", "probe, L_CE", _probed(BASE, "ce"), YES, _both(0.3974, 0.3213)),
    PaperRow("pg", "probe, L_PG", _probed(BASE, "pg"), YES, _both(0.4573, 0.3457)),
    PaperRow("attn", "L_PG on attention heads", _probed(BASE, "pg", "attn"), PART, chosen="one layer, all heads"),
    PaperRow("mlp", "L_PG on the MLP", _probed(BASE, "pg", "mlp"), PART, chosen="one layer"),
    PaperRow("pass@10", "oracle of 10 samples", _reported(BASE, "pass@10"), YES, _both(0.6228, 0.5627)),
    PaperRow("oracle", "oracle of all samples", _oracle(BASE), YES, _both(0.7561, 0.7710), "48 samples in the paper"),
    PaperRow("api-pass@1", "API, a random sample", _reported(API, "pass@1"), PART, _both(0.65, 0.54), "the prompt"),
    PaperRow("api-greedy", "API, greedy", _reported(API, "greedy"), PART, _both(0.65, 0.59), "the prompt"),
    PaperRow("api-oracle", "API, oracle", _oracle(API), PART, _both(0.80, 0.81), "the prompt"),
    PaperRow("api-mse", "API, L_Q, local states", _probed(API, "mse"), PART, _both(0.68, 0.57), API_CODE),
    PaperRow("api-ce", "API, L_CE, local states", _probed(API, "ce"), PART, _both(0.69, 0.64), API_CODE),
    PaperRow("api-pg", "API, L_PG, local states", _probed(API, "pg"), PART, _both(0.69, 0.58), API_CODE),
    PaperRow("api-mse-api", "API, L_Q, embeddings API", _probed(API, "mse", "server"), YES, _both(0.65, 0.54)),
    PaperRow("api-ce-api", "API, L_CE, embeddings API", _probed(API, "ce", "server"), YES, _both(0.65, 0.54)),
    PaperRow("api-pg-api", "API, L_PG, embeddings API", _probed(API, "pg", "server"), YES, _both(0.66, 0.54)),
    PaperRow(
        "codet",
        "CodeT, CodeGen-16B's samples",
        lambda runs, test: runs.codet(test),
        "other",
        {HUMANEVAL: 0.367},
        "CodeT's own code",
    ),
)
"""In the order of the table."""
