"""The bundled benchmark: small functions over strings, lists and integers, a few of each family.

The problems are generated from a grammar (`scripts/mini`) and bundled with a tiny language model (`model/`) that was
trained on other problems of the same families, so that the full pipeline runs offline.
"""

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from benchmarks.extraction import FUNCTION_STOPS, continue_prompt
from benchmarks.problem import Problem

MODEL = Path(__file__).with_name("model")  # for from_pretrained
STOP = (*FUNCTION_STOPS, "\nassert")
TIMEOUT = 0.5
"""CPU seconds: no reference uses a tenth of that."""
ABOUT_MODEL = (
    "The model is bundled with qprobe for its demo: 1.2 million parameters, trained so that its hidden states predict "
    "whether its programs pass. A gain shows that the harness works and says nothing about other models."
)


class Mini:
    """The bundled benchmark."""

    name = "mini"
    licence = "Apache-2.0"

    def problems(self) -> Sequence[Problem]:
        """All problems, family by family."""
        rows = resources.files(__name__).joinpath("problems.jsonl").read_text(encoding="utf-8")
        return [Problem(**json.loads(row), stop=STOP, timeout=TIMEOUT) for row in rows.splitlines()]

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The prompt, continued up to the first stop string."""
        return continue_prompt(prompt, completion, problem.stop)


BENCHMARK = Mini()


def is_bundled(model: str) -> bool:
    """Return True if a model's name, such as hf:FOLDER, means the bundled model of some installation."""
    folder = model.partition(":")[2].partition(",")[0]
    return Path(folder).parts[-3:] == MODEL.parts[-3:]
