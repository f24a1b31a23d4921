"""Instruments: benches, baselines, evaluation, capacity planning, converters. Only the command line imports them."""
