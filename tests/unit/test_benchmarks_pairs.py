"""Pair sets: every layout, what is wrong with a row, and what the doctor finds."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import BenchmarkError
from benchmarks.pairs import Pair, examine_pairs, open_pairs, pairs_digest
from benchmarks.pairs.doctor import wilson_interval

ASKED = "\n\nHuman: Hello?\n\nAssistant:"


def written(folder: Path, rows: list[Any], name: str = "set.jsonl") -> str:
    file = folder / name
    file.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(file)


def pairs_of(folder: Path, rows: list[Any], prefix: str = "", *, ratio: float = 2.0) -> list[Pair]:
    return list(open_pairs(prefix + written(folder, rows), min_score_ratio=ratio).pairs())


MESSAGES = [{"role": "user", "content": "Hello?"}]
REPLIES = {name: [{"role": "assistant", "content": name}] for name in ("good", "bad")}
SAME = [
    {"prompt": ASKED, "chosen": " good", "rejected": " bad"},
    {"chosen": f"{ASKED} good", "rejected": f"{ASKED} bad"},
    {"prompt": MESSAGES, "chosen": REPLIES["good"], "rejected": REPLIES["bad"]},
    {"prompt": MESSAGES, "chosen": "good", "rejected": "bad"},
    {"chosen": MESSAGES + REPLIES["good"], "rejected": MESSAGES + REPLIES["bad"]},
    {"prompt": "Hello?", "chosen": MESSAGES + REPLIES["good"], "rejected": MESSAGES + REPLIES["bad"]},
    {"prompt": "Hello?", "chosen": REPLIES["good"], "rejected": REPLIES["bad"]},
    {"history": "Hello?", "human_ref_A": "bad", "human_ref_B": "good", "labels": 0, "score_A": 2, "score_B": 5},
    {"history": "Hello?", "human_ref_A": "good", "human_ref_B": "bad", "labels": 1, "score_ratio": 2.5},
]


@pytest.mark.parametrize("row", SAME, ids=range(len(SAME)))
def test_every_layout_of_a_row_gives_the_same_pair(tmp_path: Path, row: dict[str, Any]):
    assert pairs_of(tmp_path, [row]) == [Pair("train/1", ASKED, " good", " bad")]


def test_dialogues_keep_all_turns_and_the_system_message():
    messages = [
        {"role": "system", "content": "Be brief."},
        *MESSAGES,
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "Bye?"},
    ]
    from benchmarks.pairs.pair import dialogue

    assert dialogue(messages) == f"Be brief.{ASKED} Hi.\n\nHuman: Bye?\n\nAssistant:"


TREE = {
    "message_tree_id": "t",
    "prompt": {
        "message_id": "m1",
        "role": "prompter",
        "text": "Hello?",
        "replies": [
            {"message_id": "m3", "role": "assistant", "text": "bad", "rank": 2, "replies": []},
            {"message_id": "m2", "role": "assistant", "text": "good", "rank": 0, "replies": [
                {"message_id": "m6", "role": "prompter", "text": "Bye?", "replies": [
                    {"message_id": "m7", "role": "assistant", "text": "one", "rank": 1},
                    {"message_id": "m8", "role": "assistant", "text": "two", "rank": 0},
                    {"message_id": "m9", "role": "assistant", "text": "no", "rank": 3, "deleted": True},
                ]},
            ]},
            {"message_id": "m4", "role": "assistant", "text": "middle", "rank": 1},
            {"message_id": "m5", "role": "assistant", "text": "unranked", "rank": None},
        ],
    },
}  # fmt: skip


def flattened(message: dict[str, Any], parent: str | None = None) -> list[dict[str, Any]]:
    row = {name: value for name, value in message.items() if name != "replies"}
    below = [flat for reply in message.get("replies", ()) for flat in flattened(reply, message["message_id"])]
    return [{**row, "parent_id": parent, "message_tree_id": "t"}, *below]


@pytest.mark.parametrize("rows", [[TREE], flattened(TREE["prompt"])], ids=["tree", "flat"])
def test_trees_give_all_pairs_of_ranked_replies_at_every_depth(tmp_path: Path, rows: list[Any]):
    later = f"{ASKED} good\n\nHuman: Bye?\n\nAssistant:"
    assert set(pairs_of(tmp_path, rows)) == {
        Pair("m1/0-1", ASKED, " good", " middle"),
        Pair("m1/0-2", ASKED, " good", " bad"),
        Pair("m1/1-2", ASKED, " middle", " bad"),
        Pair("m6/0-1", later, " two", " one"),
    }


def test_votes_that_are_close_give_no_pair(tmp_path: Path):
    row = {"history": "Q", "human_ref_A": "a", "human_ref_B": "b", "labels": 1}
    rows = [{**row, "score_ratio": ratio} for ratio in (1.4, 2.0, 3.0)]
    assert len(pairs_of(tmp_path, rows)) == 2
    assert len(pairs_of(tmp_path, rows, ratio=1.0)) == 3
    pair_set = open_pairs(written(tmp_path, rows))
    assert list(pair_set.left_out) == ["line 1: its score ratio 1.4 is below 2"]


def test_transcripts_without_a_common_prompt_are_left_out_and_counted(tmp_path: Path):
    other = {"chosen": f"{ASKED} a", "rejected": "\n\nHuman: Bye?\n\nAssistant: b"}
    pair_set = open_pairs("hh:" + written(tmp_path, [SAME[1], other]))
    assert len(pair_set.pairs()) == 1
    assert list(pair_set.left_out) == ["line 2: the two transcripts do not share a prompt"]
    with pytest.raises(BenchmarkError, match=r"holds no pair: the first of 1 rows, line 1: the two transcripts"):
        pairs_of(tmp_path, [other])


WRONG = [
    ({"prompt": "p", "chosen": "a"}, "line 2: the field 'rejected' is missing"),
    ({"prompt": 1, "chosen": "a", "rejected": "b"}, "line 2: the field 'prompt' is not a string"),
    ({"prompt": " ", "chosen": "a", "rejected": "b"}, "line 2: the field 'prompt' is empty"),
    ({"prompt": "p", "chosen": ["a"], "rejected": ["b"]}, "line 2: a message is not an object with role and content"),
    ({"prompt": "p", "chosen": MESSAGES, "rejected": MESSAGES}, "line 2: a reply does not end with a message of"),
    ({"prompt": "p", "chosen": "a", "rejected": REPLIES["bad"]}, "line 2: the field 'rejected' is not a string"),
    ({"chosen": "a", "rejected": "b"}, "line 2: the field 'chosen' has no turn of the assistant"),
    ({"id": "train/1", "prompt": "p", "chosen": "a", "rejected": "b"}, "line 2: the id 'train/1' is the one of line 1"),
    ("[1]", "line 2: not a JSON object"),
    ("{", "line 2: not JSON"),
]


@pytest.mark.parametrize(("row", "message"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_row_is_named_with_its_fault(tmp_path: Path, row: dict[str, Any] | str, message: str):
    with pytest.raises(BenchmarkError, match=rf"set.jsonl, {message}"):
        pairs_of(tmp_path, [SAME[0], row])


def test_files_and_names_that_are_none(tmp_path: Path):
    with pytest.raises(BenchmarkError, match="is empty: it holds no pair"):
        pairs_of(tmp_path, [])
    with pytest.raises(BenchmarkError, match="no such file"):
        open_pairs(str(tmp_path / "absent.jsonl")).pairs()
    with pytest.raises(BenchmarkError, match=r"Unknown pair set 'oast'\. Choose from .* Did you mean oasst\?"):
        open_pairs("oast")
    with pytest.raises(BenchmarkError, match="line 1: the field 'history' is missing"):
        pairs_of(tmp_path, [SAME[0]], "shp:")
    with pytest.raises(BenchmarkError, match="line 1: neither a tree with a prompt nor a message"):
        pairs_of(tmp_path, [SAME[0]], "oasst:")


def test_gzip_splits_and_digest(tmp_path: Path):
    rows = [{**SAME[0], "split": "test"}, {**SAME[0], "split": "train"}, {**SAME[0], "split": "test"}]
    file = tmp_path / "set.jsonl.gz"
    file.write_bytes(gzip.compress(Path(written(tmp_path, rows)).read_bytes()))
    pairs = open_pairs(str(file)).pairs()
    assert [(pair.id, pair.split) for pair in pairs] == [("test/1", "test"), ("train/1", "train"), ("test/2", "test")]
    assert pairs_digest(pairs) != pairs_digest(pairs[:2])


MAPPED = r"""
dataset = "data"
splits = ["test"]
[columns]
id = "q{number}"
prompt = "\n\nHuman: {question}\n\nAssistant:"
chosen = " {best}"
rejected = " {worst}"
"""


def hub_folder(folder: Path) -> None:
    (folder / "data" / "data").mkdir(parents=True)
    for split, numbers in (("train", (0, 1)), ("test", (2, 3))):
        rows = [{"number": n, "question": "Hello?", "best": "good", "worst": "bad"} for n in numbers]
        written(folder / "data" / "data", rows, f"{split}.jsonl")


def test_a_data_set_of_the_hub_through_a_mapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "hub-cache")
    hub_folder(tmp_path)
    (tmp_path / "mine.toml").write_text(MAPPED)
    pair_set = open_pairs(str(tmp_path / "mine.toml"))
    assert pair_set.fetch() is None
    assert list(pair_set.pairs()) == [Pair(f"q{n}", ASKED, " good", " bad", "test") for n in (2, 3)]
    (tmp_path / "mine.toml").write_text(MAPPED.replace('"test"', '"tests"'))
    with pytest.raises(BenchmarkError, match=r"mine: unknown split 'tests'\. Choose from"):
        open_pairs(str(tmp_path / "mine.toml")).pairs()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset = 1", "'dataset' is not a string"),
        ("", "'dataset' is missing"),
        ('dataset = "a/b"\nlayout = "shq"', r"unknown layout 'shq' \(did you mean 'shp'\?\)"),
        ('dataset = "a/b"\n[columns]\nchoosen = "x"', r"unknown key in \[columns\] 'choosen'"),
        ('dataset = "a/b"\ndataset_name = "x"', "unknown key 'dataset_name'"),
        ("dataset = ", "is not TOML"),
    ],
)
def test_a_wrong_mapping_is_refused_in_a_sentence(tmp_path: Path, text: str, message: str):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(BenchmarkError, match=message):
        open_pairs(str(tmp_path / "mine.toml"))


def checks(*pairs: Pair) -> dict[str, tuple[bool, dict[str, str]]]:
    """Result and findings by check."""
    return {
        check.name: (check.fails, {finding.problem_id: finding.detail for finding in check.findings})
        for check in examine_pairs(pairs, ["line 7: the two transcripts do not share a prompt"])
    }


def sound(number: int) -> Pair:
    """A pair without a fault; the longer reply is chosen in every other one."""
    replies = [f"yes {number}", f"it is not {number}"]
    subject = ["apples", "trains", "rivers", "clouds", "poems", "birds", "engines", "salt"][number]
    return Pair(f"p{number}", f"tell me everything about {subject} {number}", *replies[:: 1 if number % 2 else -1])


def test_the_doctor_is_content_with_a_sound_set():
    results = checks(*map(sound, range(8)))
    assert results.pop("rows give pairs") == (False, {"line 7": "the two transcripts do not share a prompt"})
    assert {name: result for name, result in results.items() if result != (False, {})} == {}


def test_the_doctor_names_every_planted_fault():
    pairs = [
        *map(sound, range(8)),
        Pair("empty", "one two three four", " ", "no"),
        Pair("equal", "five six seven eight", "so  it is", " so it is "),
        Pair("reverse", sound(1).prompt, sound(1).rejected, sound(1).chosen),
        Pair("again", *[getattr(sound(2), name) for name in ("prompt", "chosen", "rejected")], split="test"),
        Pair("near", "please tell me everything about poems 4", "longer than it", "not"),
    ]
    results = checks(*pairs)
    assert results["replies are not empty"] == (True, {"empty": "the chosen reply is empty"})
    assert results["replies differ"] == (True, {"equal": "equal"})
    assert results["no pair contradicts another"][1] == {
        "p1": "reverse prefers the other reply",
        "reverse": "p1 prefers the other reply",
    }
    assert results["no pair is repeated"][1] == {"again": "repeats p2"}
    assert results["splits share no prompt"] == (True, {"p2": "its prompt is in the splits test, train"})
    assert results["no near-duplicate prompts"] == (False, {"near": "nearly the prompt of p4"})
    assert results["length says nothing"] == (False, {})


def test_a_preference_for_length_is_found():
    pairs = [Pair(f"p{n}", f"question {n}", "a long reply", "short") for n in range(30)]
    fails, findings = checks(*pairs)["length says nothing"]
    assert not fails
    assert "the longer reply is chosen in 100.0% of pairs [88.6%, 100.0%]" in findings["all pairs"]


def test_intervals_of_shares_agree_with_an_independent_implementation():
    stats = pytest.importorskip("scipy.stats")
    for count, total in ((0, 9), (3, 9), (1405, 2345)):
        expected = stats.binomtest(count, total).proportion_ci(method="wilson")
        assert wilson_interval(count, total) == pytest.approx((expected.low, expected.high), abs=1e-6)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"message_id": []}], "no string"),
        ([{"parent_id": ["1"]}], "no string"),
        ([{"message_id": None}], "no string"),
        ([{}, {"parent_id": "1"}], "the message_id '1' is the one of line 1"),
        ([{"role": []}], "not a string"),
        ([{"message_id": str(n), "parent_id": str(n - 1) if n else None} for n in range(2000)], "nested too deeply"),
    ],
)
def test_trees_of_a_wrong_form_are_refused(tmp_path: Path, rows: list[dict[str, object]], says: str):
    """Among them a message that is its own parent, which has no end."""
    whole = {"message_tree_id": "1", "message_id": "1", "parent_id": None, "text": "a", "role": "prompter", "rank": 0}
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({**whole, **row}) for row in rows))
    with pytest.raises(BenchmarkError, match=says):
        open_pairs(f"oasst:{tmp_path / 't.jsonl'}").pairs()
