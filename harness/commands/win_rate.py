"""The command for best of k: replies that a probe selects, against the chosen reply and the base sample."""

import json as jsonlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands import options as args
from harness.commands.terminal import Terminal
from harness.errors import QprobeError

if TYPE_CHECKING:
    from harness.rewards.judge import Judge
    from harness.stages.win_rates import Replies, WinRates
    from harness.stats import SelectionRule


def win_rate(
    run: args.Run,
    probe: Annotated[Path, typer.Option(help="probe that selects: RUN/probes/NAME.safetensors")],
    pairs: Annotated[str | None, typer.Option(help="pair set of the run's prompts, for the chosen replies")] = None,
    judge: Annotated[
        str | None, typer.Option(help="model that judges: openai:MODEL,url=... or any other that chats")
    ] = None,
    rewards: Annotated[Path | None, typer.Option(help="file of a reward per sample, as qprobe score writes it")] = None,
    chosen_rewards: Annotated[
        Path | None, typer.Option(help="file of a reward per chosen reply (problem, index 0, score)")
    ] = None,
    beta: Annotated[
        float, typer.Option(help="temperature of the selection; 0 takes the best-scored reply", min=0)
    ] = 0.0,
    limit: Annotated[int | None, typer.Option(help="number of prompts, taken from the first", min=1)] = None,
    seed: Annotated[int, typer.Option(help="seed of a selection at a temperature above 0", min=0)] = 0,
    embedder: Annotated[str | None, typer.Option(help="the probe's model where it is now")] = None,
    price: Annotated[
        tuple[float, float], typer.Option(help="the judge's price of a million tokens read and written", min=0)
    ] = (0.0, 0.0),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print what the judge would cost, and ask nothing")
    ] = False,
    device: Annotated[str, typer.Option(help="device of the model: auto, cpu, cuda, cuda:1 or mps")] = "auto",
    json: args.Json = False,
    quiet: args.Quiet = False,
) -> None:
    """Show how often the reply that a probe selects among a run's samples wins, by a judge or by rewards."""
    from benchmarks.pairs import open_pairs
    from harness.probes import load_probe
    from harness.reports.given_scores import read_scores
    from harness.runs.store import Store
    from harness.stages.win_rates import by_rewards, read_samples
    from harness.stats import SelectionRule

    if (judge is None) == (rewards is None):
        raise QprobeError("Give either --judge MODEL or --rewards FILE.")
    of_judge = {"--price": any(price), "--dry-run": dry_run}
    if ignored := [name for name, is_given in of_judge.items() if is_given and judge is None]:
        raise QprobeError(f"{ignored[0]} is about --judge: leave it out with --rewards.")
    if chosen_rewards is not None and (judge is not None or pairs is None):
        raise QprobeError("--chosen-rewards needs --rewards FILE, and --pairs SET for the chosen replies.")
    terminal, chosen, rule = Terminal(quiet=quiet), load_probe(probe), SelectionRule(beta)
    pair_set = open_pairs(pairs) if pairs else None
    with Store(run) as store:
        # first what can be wrong: reading the samples may take hours
        for file in filter(None, (rewards, chosen_rewards)):
            read_scores(file)
        opened = _open_judge(judge, store.folder, device, ask=not dry_run) if judge else None
        replies = read_samples(store, chosen, pair_set, terminal, embedder=embedder, device=device, limit=limit)
        if opened is not None:
            result = _judged(opened, replies, (probe.stem, rule, seed), terminal, price, dry_run=dry_run)
        else:
            result = by_rewards(replies, probe.stem, rule, Path(str(rewards)), chosen_rewards)
    if result is not None:
        _show(result, terminal, as_json=json)


def _open_judge(spec: str, folder: Path, device: str, *, ask: bool) -> "Judge":
    """Return the judge, tried unless it has answers already: these are enough where nothing else is to be asked."""
    from harness.models.engine import Request
    from harness.rewards.judge import open_judge

    judge = open_judge(spec, folder, device)
    if ask and not judge.path.is_file():
        judge.engine.check([Request("Which is better?", (), 0, greedy=True, chat=True)])
    return judge


def _judged(
    judge: "Judge",
    replies: "Replies",
    choice: "tuple[str, SelectionRule, int]",
    terminal: Terminal,
    price: tuple[float, float],
    *,
    dry_run: bool,
) -> "WinRates | None":
    from harness.stages.win_rates import by_judge, comparisons

    name, rule, seed = choice
    asked = comparisons(replies, name, rule, seed)
    cost = judge.cost([one for own in asked.values() for one in own if one.first != one.second])
    money = f", {cost.price(*price):,.2f} at most at that price" if any(price) else ""
    terminal.message(f"{cost}{money}.")
    if dry_run:
        return None
    if cost.requests:
        first = next(one for own in asked.values() for one in own if one.first != one.second)
        from harness.models.engine import Request

        judge.engine.check([Request(first.text, (), 0, greedy=True, chat=True)])
    return by_judge(judge, asked, name, rule, replies.mask_PN.shape[1], terminal)


def _show(result: "WinRates", terminal: Terminal, *, as_json: bool) -> None:
    from harness.reports.json_values import jsonable
    from harness.reports.render.text import bullets, terminal_table
    from harness.reports.render.win_rates import win_rate_cells, win_rate_notes

    if as_json:
        print(jsonlib.dumps({"schema": "qprobe-win-rates/1", **jsonable(asdict(result))}, indent=1))
        return
    header, rows = win_rate_cells(result.rows)
    terminal.out.print(f"Best of {result.samples} by {result.probe}, {result.rule}; judged by {result.judge}.")
    terminal.out.print(terminal_table(header, rows, lambda row: row[0] == result.probe))
    lines = win_rate_notes(result.agreement, result.invalid_answers)
    if result.rewards:
        means = ", ".join(f"{name} {value:.3f}" for name, value in result.rewards.items())
        lines.append(f"Mean rewards: {means}.")
    terminal.out.print(bullets(lines))
