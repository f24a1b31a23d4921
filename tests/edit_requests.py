"""A request to an edit model, and what the model makes of its region, for tests."""

from __future__ import annotations

from tabspec.models.edit_protocol import EditRequest, PastEdit
from tabspec.models.protocol import RelatedText

REGION = "def total(items):\n    return sum(item)\n"
REQUEST = EditRequest(
    path="shop.py",
    language="python",
    before="import math\n",
    region=REGION,
    after="\nprint(total([1]))\n",
    cursor=REGION.index("item)"),
    line=1,
    earlier="def total(item):\n    return sum(item)\n",
    history=(PastEdit("shop.py", 1, "def total(item):\n", "def total(items):\n"),),
    related=(RelatedText("cart.py", "from shop import total\n"),),
)
NEW = "def total(items):\n    return sum(items)\n"
