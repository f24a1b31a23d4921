# Press Tab when the grey text is what you want, and again for the next one.
# Then rename the class: Esc, put the cursor on its name, type cwVector, Esc.
# Now press Tab, Tab, Tab: it goes to the other uses and renames them.


class Point:
    """A point in the plane."""

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __add__(self, other):
        x = self.x + other.x
        y = self.y + other.y
        return Point(x, y)

    def __sub__(self, other):
