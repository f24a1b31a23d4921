"""From what a model wrote to what is offered, judged by a parser. Pure functions."""
