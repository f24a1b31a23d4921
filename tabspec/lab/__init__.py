"""Instruments: benches, baselines, capacity planning, converters. Only the command line imports them."""
