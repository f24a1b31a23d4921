"""The engine under a deterministic, seeded simulator. docs/contribute/simulation.md describes it."""
