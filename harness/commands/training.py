"""Commands that train a model, or score samples by one."""

from pathlib import Path
from typing import Annotated

import typer

from harness.commands import options as args
from harness.commands.options import with_options
from harness.commands.terminal import Terminal
from harness.stages.finetune_options import FinetuneOptions


@with_options(FinetuneOptions)
def finetune(
    run: args.Run,
    options: FinetuneOptions,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the steps, the time and the memory alone")] = False,
    quiet: args.Quiet = False,
) -> None:
    """Train a LoRA adapter on a run's samples, or pairs, of training problems. Rerunning resumes."""
    from harness.runs.store import Store
    from harness.stages.finetune import check_memory, describe, plan_training
    from harness.stages.finetune import finetune as train_adapter

    terminal = Terminal(quiet=quiet)
    with Store(run, read_only=dry_run) as store:
        if dry_run:
            work = plan_training(store, options)
            terminal.out.print(f"{describe(work)} Nothing was done.", markup=False, highlight=False, soft_wrap=True)
            check_memory(work)
            return
        folder, card = train_adapter(store, options, terminal)
    first, last = card.epoch_losses[0], card.epoch_losses[-1]
    terminal.message(f"{card.steps:,} steps; loss {first:.3f} in the first epoch, {last:.3f} in the last.")
    use = "score --model" if card.method == "reward" else "--adapter"
    terminal.out.print(f"{folder} holds the adapter: qprobe {use}.", markup=False, highlight=False, soft_wrap=True)


def score(
    run: args.Run,
    model: Annotated[
        str, typer.Option(help="reward model: hf:FOLDER or hf:HUB_ID; ,adapter=FOLDER of finetune --method reward")
    ],
    method: Annotated[
        str, typer.Option(help="prompted (yes or no of a language model) or classifier (a head on the model)")
    ] = "prompted",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="file of the scores [default: RUN/scores/METHOD.jsonl]")
    ] = None,
    label: Annotated[str, typer.Option(help="label of a classifier with several [default: the last of two]")] = "",
    device: Annotated[str, typer.Option(help="device of the model: auto, cpu, cuda, cuda:1 or mps")] = "auto",
    quiet: args.Quiet = False,
) -> None:
    """Score every sample by a reward model, for report --scores. Rerunning resumes."""
    from harness.rewards.scorer import open_scorer
    from harness.runs.store import Store
    from harness.stages.score import score as score_samples

    terminal = Terminal(quiet=quiet)
    with Store(run) as store:
        scorer = open_scorer(method, model, label=label, device=device)
        path, card = score_samples(store, scorer, method, model, output, terminal)
    terminal.message(f"{card}.")
    terminal.message(f"qprobe report {run} --scores {path} shows what selection by them gains.")
