"""Loads a Llama-family model from a folder for our own decoders. transformers is not imported: it takes a second."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.util import find_spec

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from tabspec.errors import ModelNotUsable
from tabspec.models.decoders.llama import LlamaConfig, LlamaDecoder
from tabspec.models.decoders.native import NativeDecoder
from tabspec.models.decoders.native_library import NativeMissing, installed
from tabspec.models.files.folder import EDIT_CALIBRATION, ModelFolder, load_tokenizer
from tabspec.models.files.weights import Stored, is_packed, is_quantized, load_llama_state_dict, load_stored
from tabspec.models.local.batching import DecodeBatcher
from tabspec.models.local.edits.calibration import EditCalibration, load_edit_calibration
from tabspec.models.local.edits.writer import LocalEdits
from tabspec.models.local.model import MOST_CONTEXT, LocalModel
from tabspec.models.machine.devices import INT4, OUT_OF_MEMORY, is_out_of_memory, pick_device, pick_weights
from tabspec.models.protocol import ModelInfo
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.prompt.fim import OURS

log = logging.getLogger(__name__)


def load_llama(
    folder: ModelFolder, name: str, *, device: str = "auto", dtype: str = "auto", format: str = ""
) -> LocalModel:
    """Load the model in ``folder`` as ``name``. Raises `ModelNotUsable`, also for an unknown architecture."""
    vocabulary, form = load_tokenizer(folder.tokenizer_json(), folder.model_type, name, format)
    decoder, kind, detail = _load_decoder(folder, name, vocabulary, device=device, dtype=dtype)
    return LocalModel.of_folder(folder, name, decoder, vocabulary, form, ("own", kind), detail)


def load_edits(
    folder: ModelFolder, name: str, first: DecodeBatcher | None = None, *, device: str = "auto", dtype: str = "auto"
) -> LocalEdits:
    """Load the model in ``folder``, which writes edits, as ``name``. The passes of ``first`` come before its own."""
    vocabulary, _ = load_tokenizer(folder.tokenizer_json(), folder.model_type, name, OURS.name)
    decoder, kind, detail = _load_decoder(folder, name, vocabulary, device=device, dtype=dtype)
    info = ModelInfo(name, folder.fingerprint(kind), decoder.context, detail)
    return LocalEdits.of(info, decoder, vocabulary, first, _edit_calibration(folder))


def edits_by(model: LocalModel, folder: ModelFolder) -> LocalEdits:
    """The same model as a writer of edits: ``folder`` is the one that ``model`` was loaded from. Its weights are in
    memory once. The passes of completions come before those of edits."""
    local = model.local
    return LocalEdits.of(model.info, local.decoder, local.vocabulary, local.batcher, _edit_calibration(folder))


def _edit_calibration(folder: ModelFolder) -> EditCalibration | None:
    file = folder.path / EDIT_CALIBRATION
    return load_edit_calibration(file) if file.exists() else None


def _load_decoder(
    folder: ModelFolder, name: str, vocabulary: Vocabulary, *, device: str, dtype: str
) -> tuple[NativeDecoder | LlamaDecoder, str, str]:
    """The decoder for the model in ``folder``, its kind for the fingerprint, and its description for users."""
    shape = llama_shape(folder)
    if shape is None:
        raise ModelNotUsable(f"{name}: our own decoder does not know {folder.model_type!r}; use transformers")
    at = pick_device(device)
    packed = is_packed(folder.weights[0])
    if packed and dtype == "auto" and at.type == "cpu":
        dtype = INT4  # as the file has them
    numbers, int4 = pick_weights(dtype, at)
    if shape.vocabulary < vocabulary.size:
        raise ModelNotUsable(f"{name}: its tokenizer has more tokens than the model")
    try:
        weights: Mapping[str, Stored] = load_stored(folder.weights[0]) if packed and int4 else load_weights(folder)
        compiled = at.type == "cpu" and dtype in ("auto", "bfloat16", INT4)
        native = compiled_decoder(shape, weights, MOST_CONTEXT, int4) if compiled else None
        # A decode step on a CPU is bound by the bytes that it reads; int8 weights halve them.
        int8 = at.type == "cpu" and numbers is torch.bfloat16
        cuda = cuda_decoder(shape, weights, MOST_CONTEXT, at, numbers)
        decoder = (
            native
            or cuda
            or LlamaDecoder(shape, weights, context=MOST_CONTEXT, device=at, dtype=numbers, int8=int8, int4=int4)
        )
    except (SafetensorError, OSError, RuntimeError) as error:
        if at.type == "cuda" and is_out_of_memory(error):
            raise ModelNotUsable(f"{name}: {OUT_OF_MEMORY}") from None
        raise ModelNotUsable(f"{name}: cannot be loaded: {str(error).splitlines()[0]}") from error
    except KeyError as error:
        raise ModelNotUsable(f"{name}: cannot be loaded: its weights lack {error}") from None
    stored = INT4 if int4 else "int8"
    kind = f"{str(numbers).removeprefix('torch.')}{f' and {stored}' if int8 else ''}"
    if native:  # in the fingerprint: the arithmetic, which decides near ties; not the instruction set
        kind = f"compiled, {stored}, {native.library.arithmetic(native.level)}"
    level = f", {native.level}" if native else ", plain kernels" if at.type == "cuda" and not cuda else ""
    detail = f"own decoder, {folder.model_type}, {at.type}, {kind}{level}"
    return decoder, kind, detail


def llama_shape(folder: ModelFolder) -> LlamaConfig | None:
    """The shape of the model in ``folder``. None if our decoders cannot run it. Raises `ModelNotUsable`."""
    try:
        return LlamaConfig.of(folder.config)
    except (KeyError, TypeError, ZeroDivisionError) as error:
        raise ModelNotUsable(f"{folder.path / 'config.json'} is not complete: {error}") from None


def cuda_decoder(
    shape: LlamaConfig, weights: Mapping[str, Stored], context: int, device: torch.device, dtype: torch.dtype
) -> LlamaDecoder | None:
    """A decoder with captured graphs. None without a GPU or Triton, or for a shape that its kernels cannot run.

    Raises `RuntimeError` if the GPU has too little memory, because the torch decoder would run out of memory, too.
    """
    if device.type != "cuda" or dtype is torch.float32 or shape.head_dim % 8 or find_spec("triton") is None:
        return None
    from tabspec.models.decoders.llama_cuda import CudaDecoder  # imports Triton

    try:
        decoder = CudaDecoder(shape, weights, context=context, device=device, dtype=dtype)
        decoder.forward(decoder.new_kv(), [0], 1)  # compiles the kernels and captures a graph
    except Exception as error:  # no compiler, or an unsupported GPU: use the torch decoder
        if is_out_of_memory(error):
            raise
        log.warning("the plain decoder runs the model, at a fraction of the speed: %s: %s", type(error).__name__, error)
        return None
    return decoder


def compiled_decoder(
    shape: LlamaConfig, weights: Mapping[str, Stored], context: int, int4: bool = False
) -> NativeDecoder | None:
    """A decoder that uses the library tabspec-native. None if it is not installed or cannot run this model."""
    try:
        library, level = installed()
        return NativeDecoder(shape, weights, context=context, library=library, level=level, int4=int4)
    except (NativeMissing, ModelNotUsable):
        return None


def load_weights(folder: ModelFolder) -> dict[str, torch.Tensor]:
    """All weights by transformers' names, in the dtypes of the files. Quantized weights are returned as float32."""
    if is_quantized(folder.weights[0]):
        return load_llama_state_dict(folder.weights[0], torch.float32)
    weights: dict[str, torch.Tensor] = {}
    for file in folder.weights:
        weights |= load_file(file)
    return weights
