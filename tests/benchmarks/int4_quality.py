"""The loss of quality of the bundled model in int4: `python tests/benchmarks/int4_quality.py`.

Texts are the shipped sessions' last states, up to 1,024 tokens of each; the reference is the model as it ships (int8
weights), with everything else in float32. Told are the error of the layers' matrices (root of the squares' sums), the
loss, how often the same token wins, and how far logits are off (root mean square). Takes four minutes on two cores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

import tabspec.replay
from tabspec.models.decoders.llama import LlamaDecoder
from tabspec.models.decoders.llama_model import compiled_decoder, llama_shape, load_weights
from tabspec.models.files import int4
from tabspec.models.files.folder import ModelFolder, load_tokenizer
from tabspec.models.load import BUNDLED
from tabspec.models.local.slots import Decoder
from tabspec.replay.sessions.session_file import read_session

SESSIONS = Path(tabspec.replay.__file__).parent / "sessions"
MOST_TOKENS = 1024
EMBEDDING = "model.embed_tokens.weight"  # and the logits'
PLAIN = {"_LARGEST": (7.0,), "LOWEST": -7}
WAYS: Mapping[str, dict[str, object]] = {
    "groups of 64, the largest is 7": PLAIN,
    "groups of 64, the largest is -8": {"_LARGEST": (-8.0,)},
    "groups of 64, the best of seven scales": {},
    "groups of 32, the largest is 7": PLAIN | {"GROUP": 32},
    "groups of 32, the best of seven scales": {"GROUP": 32},
}


@contextmanager
def changed(names: Mapping[str, object]) -> Iterator[None]:
    """`tabspec.models.files.int4` with other constants."""
    before = {name: getattr(int4, name) for name in names}
    try:
        for name, value in names.items():
            setattr(int4, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(int4, name, value)


def rows_of(decoder: Decoder, texts: list[list[int]]) -> list[Tensor]:
    """Logits at every token."""
    return [torch.from_numpy(decoder.forward(decoder.new_kv(), text, len(text))) for text in texts]


def loss(rows: list[Tensor], texts: list[list[int]]) -> float:
    """Nats a token."""
    pairs = zip(rows, texts, strict=True)
    lost = [-row[:-1].log_softmax(-1).gather(1, torch.tensor(text[1:])[:, None]) for row, text in pairs]
    return float(torch.cat(lost).mean())


def main() -> None:
    folder = ModelFolder(BUNDLED)
    shape, weights = llama_shape(folder), load_weights(folder)
    assert shape
    vocabulary, _ = load_tokenizer(folder.tokenizer_json(), folder.model_type, "bundled")
    files = [path for path in sorted(SESSIONS.glob("*.jsonl.gz")) if ".side." not in path.name]
    texts = [vocabulary.encode(read_session(path).final_text())[:MOST_TOKENS] for path in files]
    print(f"{len(texts)} texts, {sum(map(len, texts)):,} tokens")

    def plain(made: Mapping[str, Tensor]) -> LlamaDecoder:
        return LlamaDecoder(shape, made, context=MOST_TOKENS, device=torch.device("cpu"), dtype=torch.float32)

    reference = rows_of(plain(weights), texts)
    print(f"as it ships: loss {loss(reference, texts):.4f}")

    def tell(name: str, decoder: Decoder, error: float | None = None) -> None:
        rows = rows_of(decoder, texts)
        ours, theirs = torch.cat(rows), torch.cat(reference)
        same = (ours.argmax(-1) == theirs.argmax(-1)).float().mean()
        off = (ours - theirs).square().mean().sqrt()
        of = "" if error is None else f"error {100 * error:.2f} %, "
        print(f"{name}: {of}loss {loss(rows, texts):.4f}, the same token {100 * same:.1f} %, logits off by {off:.3f}")

    layers = {name for name, weight in weights.items() if weight.dim() == 2 and name != EMBEDDING}
    whole = sum(float(weights[name].square().sum()) for name in layers)
    for name, names in WAYS.items():
        with changed(names):
            made = {
                each: int4.quantize_groups(weight).dequantized(torch.float32) if weight.dim() == 2 else weight
                for each, weight in weights.items()
            }
        error = (sum(float((made[each] - weights[each]).square().sum()) for each in layers) / whole) ** 0.5
        tell(f"{name}, the embedding too", plain(made), error)
        tell(name, plain(made | {EMBEDDING: weights[EMBEDDING]}), error)
    for four in (False, True):
        if decoder := compiled_decoder(shape, weights, MOST_TOKENS, four):
            tell(f"compiled, {'int4' if four else 'int8'}", decoder)


if __name__ == "__main__":
    main()
