"""Models: one Protocol, its implementations, and the worker process. Only submodules import torch."""

from tabspec.models.protocol import Chunk, GenerationRequest, Model, ModelInfo, StopRule, Usage

__all__ = ["Chunk", "GenerationRequest", "Model", "ModelInfo", "StopRule", "Usage"]
