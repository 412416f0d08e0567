"""The rows of the paper's table on preferences: win rates against the reply that people chose.

The figures are of arXiv 2402.14688: 48 replies of LLaMA-7B, fine-tuned on HH, OASST and SHP, judged by GPT-4.
"""

from collections.abc import Callable
from dataclasses import replace

from harness.errors import QprobeError
from harness.stages.paper.preference_runs import BASE, DPO, KTO, PROBE, SAMPLE, SFT, PreferenceRuns
from harness.stages.paper.rows import NO, PART, PaperRow
from harness.stages.paper.runs import Figure
from harness.stages.win_rates import BEST, LONGEST

TEST = PreferenceRuns.test_names[0]
TUNED = "LoRA's rank, layers, rate, epochs, beta; the paper's policies are others' models"
ADDED = "a combination that the paper gives no figure of"
LEAKED = (
    "its public code prints 60.93 %, the training accuracy on a random 20 % of the pairs: no figure to compare with"
)


def _wins(kind: str, policy: str) -> Callable[[PreferenceRuns, str], Figure]:
    return lambda runs, _: runs.win_rate(kind, policy)


def _no_ppo(runs: PreferenceRuns, test: str) -> Figure:
    raise QprobeError("no PPO")


def _row(
    name: str, text: str, make: Callable[..., Figure], code: str, paper: float = 0.0, chosen: str = ""
) -> PaperRow:
    row = PaperRow(name, text, make, code, chosen=chosen)
    return replace(row, paper={TEST: paper}) if paper else row


PREFERENCE_ROWS = (
    _row(
        "base", "one reply of the model", _wins(BASE, SAMPLE), PART, 0.3786, "the paper's model was fine-tuned before"
    ),
    _row("sft", "one reply after SFT on chosen replies", _wins(SFT, SAMPLE), NO, chosen=TUNED),
    _row("ppo", "one reply after PPO", _no_ppo, NO, 0.4407, "left out here: qprobe finetune has no PPO"),
    _row("dpo", "one reply after DPO", _wins(DPO, SAMPLE), NO, 0.4497, TUNED),
    _row("kto", "one reply after KTO", _wins(KTO, SAMPLE), NO, 0.5146, TUNED),
    _row("longest", "the longest of all replies", _wins(BASE, LONGEST), NO, chosen="no row of the paper"),
    _row("probe", "the best of all by the probe, L_QP", _wins(BASE, PROBE), PART, 0.5010),
    _row("sft-probe", "SFT and the probe", _wins(SFT, PROBE), NO, chosen=ADDED),
    _row("dpo-probe", "DPO and the probe", _wins(DPO, PROBE), NO, chosen=ADDED),
    _row("kto-probe", "KTO and the probe", _wins(KTO, PROBE), NO, 0.5501),
    _row(
        "oracle", "the best of all by the rewards themselves", _wins(BASE, BEST), NO, 0.9159, "48 replies in the paper"
    ),
    _row(
        "accuracy",
        "the probe's accuracy on pairs of held-out prompts",
        lambda runs, _: runs.accuracy(),
        PART,
        chosen=LEAKED,
    ),
)
"""In the order of the table."""
