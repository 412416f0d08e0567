"""`qprobe pairs`: what a user sees of a pair set, sound or not."""

import json
import os
from pathlib import Path

import pytest

from tests.command import qprobe

HH = Path(os.environ.get("QPROBE_DATA", "../shared/data")) / "hh_rlhf" / "helpful-base_test.jsonl.gz"
ROW = {"prompt": "How?", "chosen": " So.", "rejected": " No."}


def test_show_and_check_a_file(tmp_path: Path):
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps(ROW) + "\n" + json.dumps({**ROW, "prompt": "Why?", "rejected": ""}) + "\n")
    card = json.loads(qprobe("pairs", "show", str(file)).stdout)
    assert (card["name"], card["pairs"], card["prompts"], card["splits"]) == ("mine", 2, 2, {"train": 2})
    shown = qprobe("pairs", "show", str(file), "--pair", "train/1").stdout
    assert "--- chosen ---\n So." in shown
    assert "--- rejected ---\n No." in shown
    done = qprobe("pairs", "check", str(file))
    assert done.returncode == 1
    assert "train/2  the rejected reply is empty" in done.stdout
    assert "mine: 1 of 8 checks failed: replies are not empty." in done.stderr
    assert "2 pairs; nothing to fetch" in qprobe("pairs", "fetch", str(file)).stderr


def test_a_user_error_is_one_sentence(tmp_path: Path):
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps(ROW) + "\n")
    done = qprobe("pairs", "show", str(file), "--pair", "x")
    assert (done.returncode, done.stderr) == (1, "qprobe: mine has no pair 'x'; the first is train/1.\n")
    done = qprobe("pairs", "show", "helpfull")
    assert done.returncode == 1
    assert done.stderr.startswith("qprobe: Unknown pair set 'helpfull'. Choose from hh, shp, oasst")


@pytest.mark.skipif(not HH.exists(), reason="the HH data is not at QPROBE_DATA or ../shared/data")
def test_the_doctor_on_real_pairs():
    done = qprobe("pairs", "check", f"hh:{HH}", "--json")
    found = {row["name"]: row for row in json.loads(done.stdout)}
    assert len(found["rows give pairs"]["findings"]) == 9
    assert found["replies are not empty"]["looked_at"] == 2345
    assert len(found["replies are not empty"]["findings"]) == 4
    assert len(found["replies differ"]["findings"]) == 2
    assert "59.9%" in found["length says nothing"]["findings"][0]["detail"]
