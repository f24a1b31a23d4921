"""Our decoder on CUDA. A decode step is one captured graph of few kernels, for one sequence or for several.

A decode step computes the rows of a table (`tabspec.models.decoders.cuda_table.StepRow`). Each row is a token: the
tokens are one sequence's next token with its draft tokens, or tokens of several sequences. All values that change
between steps are in this table, in device memory. So one graph for each number of rows is enough for all sequences and
all lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from tabspec.models.decoders import cuda_kernels as kernels
from tabspec.models.decoders.cuda_attention import TrunkAttention, turn
from tabspec.models.decoders.cuda_table import FIELDS, StepRow
from tabspec.models.decoders.llama import LlamaConfig, LlamaDecoder, LlamaKV, Matrix
from tabspec.models.files.weights import Stored
from tabspec.models.local.logits import Logits
from tabspec.models.machine.devices import is_out_of_memory

# Graphs are captured for these numbers of rows. Other numbers are padded to the next one with unused rows.
SIZES = (1, 2, 4, 8, 16)
# Kernel programs that read the trunk: about one for each of the 132 multiprocessors of a Hopper GPU.
_PROGRAMS = 128

TableRow = tuple[int, ...]
Way = Callable[[Tensor, Matrix, Tensor], None]


class CudaDecoder(LlamaDecoder):
    """A `Decoder` for Llama-family weights on a GPU, in bfloat16 or float16.

    On a CPU, Triton's interpreter runs it without graphs (for tests). If a capture fails, ``graphs`` becomes False, and
    ``failure`` is the reason. Steps then launch their kernels one by one.
    """

    def __init__(
        self,
        config: LlamaConfig,
        weights: Mapping[str, Stored],
        *,
        context: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        # Imported here because it imports torch's compiler, which takes a second.
        from torch.nn.attention.bias import causal_lower_right

        super().__init__(config, weights, context=context, device=device, dtype=dtype)
        self._lower_right = causal_lower_right
        self.graphs, self.failure = device.type == "cuda", ""
        self._steps: dict[tuple[int, bool], CapturedStep] = {}

    @torch.inference_mode()
    def forward_batch(self, batch: Sequence[tuple[LlamaKV, Sequence[int]]], want: int) -> list[Logits]:
        if sum(len(tokens) for _, tokens in batch) > SIZES[-1]:
            return [self.forward(kv, tokens, want) for kv, tokens in batch]
        rows: list[TableRow] = []
        ends = []
        for kv, tokens in batch:
            start = kv.length
            self.reserve(kv, start, start + len(tokens))
            memory = (kv.data.data_ptr(), kv.data.shape[3])
            rows += [(t, start + i, *memory, 0, start + i + 1) for i, t in enumerate(tokens)]
            kv.length += len(tokens)
            ends.append(len(rows))
        logits = on_the_host(self.step(len(rows), apart=True)(rows))
        return [logits[end - want : end] for end in ends]

    @torch.inference_mode()
    def forward(self, kv: LlamaKV, tokens: Sequence[int], want: int) -> Logits:
        start, count = kv.length, len(tokens)
        end = start + count
        self.reserve(kv, start, end)
        if count > SIZES[-1]:
            logits = self._prefill(kv, tokens, want)
        else:
            memory = (kv.data.data_ptr(), kv.data.shape[3])
            # The trunk is the positions before this pass. A token's tail reaches from there to the token itself.
            rows = [(t, start + i, *memory, start, start + i + 1) for i, t in enumerate(tokens)]
            logits = self.step(count)(rows)[count - want :]
        kv.length = end
        return on_the_host(logits)

    def step(self, rows: int, apart: bool = False) -> CapturedStep:
        """The step for ``rows`` rows that share a trunk, or that have none (``apart``). Made at the first call."""
        size = next(size for size in SIZES if size >= rows)
        if (size, apart) not in self._steps:
            # The interpreter runs programs one after another, so more would only take longer.
            programs = _PROGRAMS if self.device.type == "cuda" else 4
            parts = min(max(programs // self.config.kv_heads // (size if apart else 1), 1), 64)
            self._steps[size, apart] = (
                CapturedStep(self, size, 0, parts) if apart else CapturedStep(self, size, parts, 1)
            )
        return self._steps[size, apart]

    def reserve(self, kv: LlamaKV, used: int, length: int) -> None:
        """Grow the memory of ``kv`` to ``length`` positions if it is smaller. Keeps the first ``used`` positions."""
        if kv.data.shape[3] < length:
            grown = self._room(length)
            grown[:, :, :, :used] = kv.data[:, :, :, :used]
            kv.data = grown

    def _prefill(self, kv: LlamaKV, tokens: Sequence[int], want: int) -> Tensor:
        """Compute many tokens of one sequence: matrices by cuBLAS, attention by torch, the rest as in a step."""
        shape, start, count = self.config, kv.length, len(tokens)
        table = torch.zeros(count, FIELDS, dtype=torch.int64, device=self.device)
        table[:, StepRow.TOKEN] = torch.tensor(tokens, device=self.device)
        table[:, StepRow.POSITION] = torch.arange(start, start + count, device=self.device)
        table[:, StepRow.MEMORY], table[:, StepRow.CAPACITY] = kv.data.data_ptr(), kv.data.shape[3]
        table[:, StepRow.END] = table[:, StepRow.POSITION] + 1

        def new(wide: int) -> Tensor:
            return torch.empty(count, wide, device=self.device, dtype=self.dtype)

        x, normed, query = new(shape.hidden), new(shape.hidden), new(shape.heads * shape.head_dim)
        gated = new(shape.mlp)
        kernels.embed(table, self.embedding, x)
        for number, layer in enumerate(self.layers):
            kernels.norm(x, layer.norm, shape.norm_eps, normed)
            qkv = F.linear(normed, layer.qkv.weight, layer.qkv.bias)
            turn(table, qkv, self.cos, self.sin, query, number, shape.heads, shape.kv_heads)
            seen = self._causal(query, kv.data[number], start)
            x.addmm_(seen, layer.out.weight.t())
            kernels.norm(x, layer.mlp_norm, shape.norm_eps, normed)
            kernels.glu(F.linear(normed, layer.gate_up.weight), gated)
            x.addmm_(gated, layer.down.weight.t())
        last = x[count - want :].contiguous()
        normed = torch.empty_like(last)
        if want:
            kernels.norm(last, self.norm, shape.norm_eps, normed)
        return F.linear(normed, self.logits.weight)

    def _causal(self, query: Tensor, memory: Tensor, start: int) -> Tensor:
        """Attention of ``query`` (tokens, heads * dim) to a layer's keys and values. ``start``: positions before it."""
        shape, count = self.config, len(query)
        q = query.view(1, count, shape.heads, shape.head_dim).transpose(1, 2)
        k, v = memory[0][None, :, : start + count], memory[1][None, :, : start + count]
        options: dict[str, Any] = {"enable_gqa": shape.heads != shape.kv_heads}
        # Both options let torch use its fused kernels, which do not accept an explicit mask.
        options |= {"attn_mask": self._lower_right(count, start + count)} if start else {"is_causal": True}
        seen = F.scaled_dot_product_attention(q, k, v, **options)
        return seen.transpose(1, 2).reshape(count, shape.heads * shape.head_dim)


# From so many bytes of logits on, pinned memory is faster. With 152,000 tokens, a pass of one row (0.6 MB) took 1.72 ms
# with pinned memory and 1.64 without; a pass of four rows (2.4 MB) took 1.9 and 2.1 (1.5B, H200).
_UNPAGED = 1 << 20


def on_the_host(logits: Tensor) -> Logits:
    """``logits`` as float32 on the host. Large ones are copied to pinned memory, which the device writes directly."""
    whole = logits.float()
    if not whole.is_cuda:
        return np.array(whole)  # a copy, because the next step overwrites the memory
    # torch caches pinned memory, so that the next call allocates none.
    host = torch.empty(whole.shape, dtype=torch.float32, pin_memory=whole.nbytes >= _UNPAGED)
    host.copy_(whole)
    return host.numpy()


class CapturedStep:
    """One decode step of ``rows`` rows: its working memory, and its graph after the capture.

    The trunk is read in ``trunk_parts`` parts, and each row's tail in ``tail_parts`` (see `TrunkAttention`).
    """

    @torch.inference_mode()
    def __init__(self, decoder: CudaDecoder, rows: int, trunk_parts: int, tail_parts: int) -> None:
        shape, device = decoder.config, decoder.device
        self._decoder, self.rows = decoder, rows

        def new(wide: int) -> Tensor:
            return torch.zeros(rows, wide, device=device, dtype=decoder.dtype)

        self._x, self._normed = new(shape.hidden), new(shape.hidden)
        self._qkv = new((shape.heads + 2 * shape.kv_heads) * shape.head_dim)
        self._query, self._seen = new(shape.heads * shape.head_dim), new(shape.heads * shape.head_dim)
        self._gated = new(shape.mlp)
        self.logits = new(len(decoder.logits.weight))
        self._attention = TrunkAttention(
            rows, shape.heads, shape.kv_heads, shape.head_dim, trunk_parts, tail_parts, device
        )
        # Unused rows write to this memory, and so do all rows while the step is captured.
        self._nowhere = torch.zeros(
            shape.layers, 2, shape.kv_heads, 8, shape.head_dim, device=device, dtype=decoder.dtype
        )
        self._idle: TableRow = (0, 0, self._nowhere.data_ptr(), 8, 0, 1)
        self._host = torch.zeros(rows, FIELDS, dtype=torch.int64, pin_memory=device.type == "cuda")
        self.table = torch.zeros(rows, FIELDS, dtype=torch.int64, device=device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self.write([])
        if decoder.graphs:
            try:
                self._graph = capture(self.launch)
            except Exception as error:  # from a driver or a compiler, of any kind: kernels are launched one by one
                if is_out_of_memory(error):
                    raise
                torch.cuda.synchronize()
                decoder.graphs, decoder.failure = False, f"{type(error).__name__}: {error}"

    def write(self, rows: Sequence[TableRow]) -> None:
        """Set the rows of the next runs. Rows that are not given become unused rows."""
        assert len(rows) <= self.rows
        # All rows share a trunk, and the kernel takes its address from the first row. So unused rows come last.
        self._host.copy_(torch.tensor([*rows, *[self._idle] * (self.rows - len(rows))], dtype=torch.int64))
        self.table.copy_(self._host, non_blocking=True)

    def __call__(self, rows: Sequence[TableRow]) -> Tensor:
        """Run ``rows``. Returns logits on the device, of shape (len(rows), vocabulary), valid until the next run."""
        self.write(rows)
        self.run()
        return self.logits[: len(rows)]

    def run(self) -> None:
        """Run the rows that `write` has set."""
        if self._graph:
            self._graph.replay()
        else:
            self.launch()

    @torch.inference_mode()
    def launch(self) -> None:
        """Launch the step's kernels one by one."""
        decoder, shape = self._decoder, self._decoder.config
        way = {kind: usual(kind, self.rows, decoder.device) for kind in KINDS}
        kernels.embed(self.table, decoder.embedding, self._x)
        for number, layer in enumerate(decoder.layers):
            kernels.norm(self._x, layer.norm, shape.norm_eps, self._normed)
            way["qkv"](self._normed, layer.qkv, self._qkv)
            turn(self.table, self._qkv, decoder.cos, decoder.sin, self._query, number, shape.heads, shape.kv_heads)
            self._attention(self.table, self._query, number, self._seen)
            way["out"](self._seen, layer.out, self._x)
            kernels.norm(self._x, layer.mlp_norm, shape.norm_eps, self._normed)
            way["gate_up"](self._normed, layer.gate_up, self._gated)
            way["down"](self._gated, layer.down, self._x)
        kernels.norm(self._x, decoder.norm, shape.norm_eps, self._normed)
        way["logits"](self._normed, decoder.logits, self.logits)


KINDS = ("qkv", "out", "gate_up", "down", "logits")
_ADDED, _GATED = ("out", "down"), ("gate_up",)  # added to the residual stream; combined as silu(gate) * value


def plain(kind: str) -> Way:
    """Multiplies by a matrix of this kind with cuBLAS."""

    def added(x: Tensor, matrix: Matrix, out: Tensor) -> None:
        out.addmm_(x, matrix.weight.t())

    def gated(x: Tensor, matrix: Matrix, out: Tensor) -> None:
        kernels.glu(F.linear(x, matrix.weight), out)

    def biased(x: Tensor, matrix: Matrix, out: Tensor) -> None:
        out.copy_(F.linear(x, matrix.weight, matrix.bias)) if matrix.bias is not None else torch.mm(
            x, matrix.weight.t(), out=out
        )

    return added if kind in _ADDED else gated if kind in _GATED else biased


def fused(kind: str, single: bool, choice: tuple[int, int, int, int]) -> Way:
    """Multiplies by a matrix of this kind with our own kernel, which includes the operation after the product."""

    def way(x: Tensor, matrix: Matrix, out: Tensor) -> None:
        add, gate = kind in _ADDED, kind in _GATED
        kernels.matrix(x, matrix.weight, matrix.bias, out, add=add, gated=gate, single=single, choice=choice)

    return way


def usual(kind: str, rows: int, device: torch.device) -> Way:
    """The fastest implementation on an H100 for the shapes of Qwen2.5-Coder (docs/benchmarks): our own kernels. cuBLAS
    is used for the attention's output with several rows, and for more rows than our kernels accept."""
    if device.type != "cuda" or rows > SIZES[-1] or (rows > 1 and kind == "out"):
        return plain(kind)
    if rows == 1:
        return fused(kind, True, (2, 1024, 4, 1))
    return fused(kind, False, (16, 512, 4, 3) if kind == "down" else (32, 128, 4, 5))


def capture(launch: Callable[[], None]) -> torch.cuda.CUDAGraph:
    """Capture the kernels that ``launch`` launches, as a graph. It runs twice before, because a capture forbids what a
    first run does: compiling and loading kernels, and allocating the libraries' working memory."""
    warm_up = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    warm_up.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(warm_up):
        for _ in range(2):
            launch()
    torch.cuda.current_stream().wait_stream(warm_up)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        launch()
    return graph
