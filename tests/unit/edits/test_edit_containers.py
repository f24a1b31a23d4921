"""A container's kind changed: what is proposed where it is used."""
# ruff: noqa: E501
# A case of a table is read best on one line.

from __future__ import annotations

import pytest

from tests.edit_steps import shown

# For each: the file, the step (old line, new line), a use of the old kind, and of the new.
CASES = [
    # a list became a set
    ("a.py", "seen: list[str] = []", "seen: set[str] = set()", "seen.append(word)", "seen.add(word)"),
    ("a.ts", "const seen: string[] = [];", "const seen = new Set<string>();", "seen.push(word);", "seen.add(word);"),
    ("a.ts", "const seen: string[] = [];", "const seen: Set<string> = new Set();", "if (seen.includes(a[0])) {}", "if (seen.has(a[0])) {}"),
    ("a.rs", "let mut seen: Vec<u8> = Vec::new();", "let mut seen: HashSet<u8> = HashSet::new();", "seen.push(b);", "seen.insert(b);"),
    # a list became a map
    ("a.py", "users: list[User] = []", "users: dict[int, User] = {}", "u = next((u for u in users if u.uid == uid), None)", "u = users.get(uid)"),
    ("a.rs", "let mut users: Vec<User> = vec![];", "let mut users: HashMap<u32, User> = HashMap::new();", "let u = users.iter().find(|u| u.uid == uid);", "let u = users.get(&uid);"),
    ("A.java", "List<User> users = new ArrayList<>();", "Map<Long, User> users = new HashMap<>();", "users.removeIf(u -> u.uid().equals(uid));", "users.remove(uid);"),
    # a map's values became lists
    ("a.py", "tags: dict[str, str] = {}", "tags: dict[str, list[str]] = {}", "tags[key(a)] = tag", "tags.setdefault(key(a), []).append(tag)"),
    ("a.rs", "let mut tags: HashMap<u8, u8> = HashMap::new();", "let mut tags: HashMap<u8, Vec<u8>> = HashMap::new();", "tags.insert(k, t);", "tags.entry(k).or_default().push(t);"),
    ("A.java", "Map<String, Tag> tags = new HashMap<>();", "Map<String, List<Tag>> tags = new HashMap<>();", "tags.put(k, t);", "tags.computeIfAbsent(k, key -> new ArrayList<>()).add(t);"),
    # one value became several
    ("a.py", "role: str = ''", "role: list[str] = []", "if role == 'admin': pass", "if 'admin' in role: pass"),
    ("a.ts", "let role: string = '';", "let role: string[] = [];", "if (role === 'admin') {}", "if (role.includes('admin')) {}"),
    ("a.ts", "let role: string = '';", "let role: string[] = [];", "log(`as ${role}`);", 'log(`as ${role.join(", ")}`);'),
    ("a.rs", "let role: String = f();", "let role: Vec<String> = f();", "if role == other {}", "if role.contains(&other) {}"),
]  # fmt: skip
AROUND = {
    "py": ("def f():\n", "    {}\n", ""),
    "ts": ("function f() {\n", "  {}\n", "}\n"),
    "js": ("function f() {\n", "  {}\n", "}\n"),
    "rs": ("fn f() {\n", "    {}\n", "}\n"),
    "java": ("class A {\n    void f() {\n", "        {}\n", "    }\n}\n"),
}


@pytest.mark.parametrize(("name", "old", "new", "use", "wanted"), CASES)
def test_uses_of_a_local_container_follow_its_kind(name: str, old: str, new: str, use: str, wanted: str):
    head, line, tail = AROUND[name.split(".")[1]]
    before, after, used, changed = (line.replace("{}", part, 1) for part in (old, new, use, wanted))
    assert shown(head + before + used + tail, (before, after), name=name) == head + after + changed + tail


FIELDS = {
    "a.py": (
        "class Store:\n    def __init__(self):\n        self.items: list[Item] = []\n\n    def add(self, item):\n        self.items.append(item)\n\n"
        "    def drop(self, code):\n        self.items = [i for i in self.items if i.code != code]\n\n    def local(self, items):\n        items.append(1)\n",
        ("        self.items: list[Item] = []\n", "        self.items: dict[str, Item] = {}\n"),
        ("        self.items[item.code] = item\n", "        self.items.pop(code, None)\n", "        items.append(1)\n"),
    ),
    "a.ts": (
        "class Store {\n  private items: Item[] = [];\n\n  add(item: Item) {\n    this.items.push(item);\n  }\n\n"
        "  get(code: string) {\n    return this.items.find(i => i.code === code);\n  }\n\n  size() {\n    return this.items.length;\n  }\n}\n",
        ("  private items: Item[] = [];\n", "  private items: Map<string, Item> = new Map();\n"),
        (
            "    this.items.set(item.code, item);\n",
            "    return this.items.get(code);\n",
            "    return this.items.size;\n",
        ),
    ),
    "a.go": (
        "package a\n\ntype Index struct {\n\twords map[string]int\n}\n\nfunc (i *Index) Add(word string, at int) {\n\ti.words[word] = at\n}\n\n"
        "func (i *Index) First(word string) int {\n\treturn i.words[word]\n}\n",
        ("\twords map[string]int\n", "\twords map[string][]int\n"),
        ("\ti.words[word] = append(i.words[word], at)\n",),
    ),
}


@pytest.mark.parametrize("name", FIELDS)
def test_uses_of_a_field_follow_its_kind(name: str):
    before, step, wanted = FIELDS[name]
    text = shown(before, step, name=name)
    for part in wanted:
        assert part in text


@pytest.mark.parametrize(
    "line",
    [
        "# seen.append(word)",
        "log('seen.append(word)')",
        "other.seen.append(word)",
        "unseen.append(word)",
    ],
)
def test_what_is_no_use_of_the_container_stays(line: str):
    before = f"def f():\n    seen: list[str] = []\n    {line}\n\ndef g(seen):\n    seen.append(2)\n"
    step = "    seen: list[str] = []\n", "    seen: set[str] = set()\n"
    assert shown(before, step, name="a.py") == before.replace(*step)


def test_a_value_whose_key_is_not_known_stays():
    before = "def f():\n    users: list[User] = []\n    users.append(make())\n"
    step = "    users: list[User] = []\n", "    users: dict[int, User] = {}\n"
    assert shown(before, step, name="a.py").endswith("users.append(make())\n")


@pytest.mark.parametrize(
    ("new", "changed"),
    [
        ("role: list[str] | None = None", True),
        ("role: list[str] | str | None = None", False),  # it may still be what it was
        ("role: str | None = None", False),
    ],
)
def test_a_union_is_another_kind_only_if_nothing_of_the_old_is_left(new: str, changed: bool):
    before = "def f():\n    role: str = ''\n    return role == 'admin'\n"
    text = shown(before, ("    role: str = ''\n", f"    {new}\n"), name="a.py")
    assert ("return 'admin' in role" in text) == changed
