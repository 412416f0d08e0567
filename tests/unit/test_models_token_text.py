"""The text of tokens is what the model wrote: special and added tokens, half characters, stop strings in them."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from harness.models.engine import Generated, Request
from harness.models.hf.batch_decoding import BatchDecoder
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.engine import HfEngine
from harness.models.sampling import Sampling
from harness.models.stop_strings import StopFinder
from harness.models.token_text import TokenText
from harness.models.tokens import Text, plain_ids
from tests.tiny_models import blank_tokenizer, save_writer, tokenizer

SPECIAL = ["<file_sep>", "<|im_end|>", "<｜fim▁middle｜>", "<|é|>"]
ADDED = ["<fim_prefix>", "<über>", "<tool call>"]


def with_added(plain: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """The tokenizer with special tokens of code models, and with tokens that are added but not special."""
    plain.add_special_tokens({"additional_special_tokens": [AddedToken(text, normalized=False) for text in SPECIAL]})
    plain.add_tokens([AddedToken(text, normalized=False) for text in ADDED])
    return plain


TOKENIZERS = {"bytes": with_added(tokenizer()), "blanks": with_added(blank_tokenizer())}


@pytest.fixture(params=TOKENIZERS)
def words(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    return TOKENIZERS[request.param]


def written(folder: Path, words: PreTrainedTokenizerFast, ids: list[int], stop: tuple[str, ...] = ()) -> Generated:
    """Return the completion of a model that writes these tokens; both decoding loops agree on it."""
    engine = HfEngine(f"hf:{save_writer(folder, words, ids)}", Sampling(0, 1.0, len(ids)), device="cpu")
    work = [Request("x", stop, 0)]
    ((_, done),) = engine.generate(work)
    slower = BatchDecoder(engine._weights, "cpu", engine._token_text, engine._end_tokens, engine.sampling, rows=1)
    ((_, again),) = slower.run(engine._jobs(work))
    assert (again.text, again.finish_reason, again.token_ids) == (done.text, done.finish_reason, done.token_ids)
    return done


@pytest.mark.parametrize("token", [*SPECIAL, *ADDED, "<pad>"])
def test_a_token_inside_a_completion_is_part_of_its_text(tmp_path: Path, words: PreTrainedTokenizerFast, token: str):
    number = words.convert_tokens_to_ids(token)
    one, other = plain_ids(words, "return a"), plain_ids(words, "print(x)")
    done = written(tmp_path / "free", words, [*one, number, *other, words.eos_token_id])
    parts = [TokenText(words).text(ids) for ids in (one, other)]
    assert done.text == token.join(parts)
    assert (done.finish_reason, done.token_ids[-1]) == ("stop", words.eos_token_id)
    stopped = written(tmp_path / "stopped", words, [*one, number, *other], stop=("zzz", token))
    assert (stopped.text, stopped.finish_reason) == (parts[0] + token, "stop")
    assert stopped.token_ids == (*one, number)
    across = written(tmp_path / "across", words, [*one, number, *other], stop=(token[-1] + parts[1][:2],))
    assert across.text.startswith(parts[0] + token)
    assert (across.finish_reason, len(across.token_ids) > len(one) + 1) == ("stop", True)


def test_the_end_token_is_no_text_but_at_another_place(tmp_path: Path, words: PreTrainedTokenizerFast):
    """It is left out where it closes a completion; the stop string of its name changes nothing."""
    ids = [*plain_ids(words, "return a"), words.eos_token_id]
    text = TokenText(words).text(ids[:-1])
    for number, stop in enumerate([(), ("<eos>",)]):
        done = written(tmp_path / str(number), words, ids, stop)
        assert (done.text, done.finish_reason, done.token_ids) == (text, "stop", tuple(ids))
    assert TokenText(words).text(ids * 2) == f"{text}<eos>" * 2


def test_an_embedder_reads_the_tokens_as_they_were_drawn(tmp_path: Path, words: PreTrainedTokenizerFast):
    ids = [*plain_ids(words, "return a"), words.convert_tokens_to_ids("<file_sep>"), *plain_ids(words, "print(x)")]
    done = written(tmp_path, words, [*ids, words.eos_token_id])
    embedder = HfEmbedder(f"hf:{tmp_path}", pooling="last,after-stop", device="cpu")
    whole = embedder.tokenise(Text.of("x", done.text, "", done.token_ids))
    assert whole.ids[whole.start :] == [*ids, words.eos_token_id]
    assert whole.stop == whole.end + 1
    before, stop, _ = done.text.partition("<file_sep>")
    cut = embedder.tokenise(Text("x", done.text, len(before), len(before + stop), done.token_ids))
    assert cut.ids[cut.start :] == ids[: cut.stop - cut.start]
    assert cut.ids[cut.stop - 1] == words.convert_tokens_to_ids("<file_sep>")
    assert cut.end == cut.stop - 1


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet="ab\né€🙂", max_size=12), cut=st.integers(0, 3), name=st.sampled_from(sorted(TOKENIZERS)))
def test_half_a_character_changes_no_other(text: str, cut: int, name: str):
    """Whole characters stand before a text that was cut inside one, and beside one that misses its end."""
    words = TOKENIZERS[name]
    read = TokenText(words)
    smile = plain_ids(words, "🙂")[-4:]
    whole = plain_ids(words, text)
    half = read.text([*whole, *smile[:cut], *plain_ids(words, "\n")[-1:]])
    assert half.replace("\ufffd", "") == read.text(whole) + "\n"
    assert ("\ufffd" in half) == (cut > 0)
    half.encode()


@settings(max_examples=200, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(TOKENIZERS)))
def test_any_tokens_and_any_ascii_stop_string(data: st.DataObject, name: str):
    """The finder sees a stop string exactly when the text holds it, whatever tokens are drawn."""
    words = TOKENIZERS[name]
    ids = data.draw(st.lists(st.integers(0, len(words) - 1), min_size=1, max_size=12))
    stops = tuple(data.draw(st.lists(st.sampled_from([*SPECIAL, "<eos>", "\n", "e", "a<f", "> "]), max_size=3)))
    read = TokenText(words)
    finder, has_stop = StopFinder(read, stops), False
    for count in range(1, len(ids) + 1):
        has_stop |= finder.found(ids[:count])
        assert has_stop == any(stop in read.text(ids[:count]) for stop in stops)
