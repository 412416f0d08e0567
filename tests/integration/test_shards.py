"""Shards and their merge by the command line, as a batch queue runs them: the report of one machine, byte by byte."""

from pathlib import Path

from scripts.torture_server import PROBLEMS, SAMPLES, faulty_server
from tests.command import qprobe


def test_shards_give_the_report_of_one_machine(tmp_path: Path):
    """Of samples from a server; tests/unit/test_stage_blocks.py has those of a model, with its vectors."""
    with faulty_server(tmp_path / "numbers.jsonl") as server:

        def evaluate(run: Path, *more: str) -> str:
            done = qprobe(*server.command(run), "--block", "12", *more)
            assert done.returncode == 0, done.stderr
            return done.stderr

        evaluate(tmp_path / "one" / "run")
        shards = [tmp_path / f"shard-{part}" for part in (1, 2)]
        for part, folder in enumerate(shards, start=1):
            assert f"Shard {part}/2 is done" in evaluate(folder, "--shard", f"{part}/2")
        merged = tmp_path / "many" / "run"
        incomplete = qprobe("merge", str(merged), str(shards[1]))
        assert incomplete.returncode == 1
        assert "Without shard 1 of 2" in incomplete.stderr
        done = qprobe("merge", str(merged), *map(str, reversed(shards)))
        assert done.returncode == 0, done.stderr
        assert f"holds {PROBLEMS * SAMPLES} samples" in done.stderr
        assert "Generated 0 samples." in evaluate(merged)
    assert (merged / "report.json").read_bytes() == (tmp_path / "one" / "run" / "report.json").read_bytes()
