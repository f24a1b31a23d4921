"""The engine under a deterministic, seeded simulator. docs/simulation.md tells what is simulated and checked."""
