"""From a request's text to tokens, and from tokens back to text."""
