# Type on, and press Tab when the grey text is what you want. Then press it again.

import json
from pathlib import Path


class Inventory:
    """Things in stock, kept in a file."""

    def __init__(self, path):
        self.path = Path(path)
        self.items = {}

    def load(self):
        with open(self.path) as file:
            self.items = json.load(file)

    def save(self):
