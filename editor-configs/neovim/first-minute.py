# Press Tab when the grey text is what you want. Then press it again. Or type on.
# Rename the parameter `other` (Esc, cw, Esc): Tab goes to its uses, and Tab again renames them.


class Point:
    """A point in the plane."""

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __add__(self, other):
        return Point(self.x + other.x, self.y + other.y)
