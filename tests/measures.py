#!/usr/bin/env python3
"""The house in figures: lines by area, file lengths, long functions, public items that nobody outside uses.

    python3 tests/measures.py [root] [--all]

Reads sources only. Lines of unit tests are counted apart (`mod tests { … }` at a file's end, files named tests.rs or below
tests/). An item counts as used when its name stands in any file outside its crate; what only its own crate uses should be
`pub(crate)`, and then rustc says whether it is used at all.
"""
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(next((arg for arg in sys.argv[1:] if not arg.startswith("--")), ".")).resolve()
AREAS = [
    "src/core", "src/domain", "src/records", "src/journal", "src/wal", "src/store", "src/disk", "src/mail",
    "src/feedback", "src/returns", "src/render", "actors", "src/http", "src/config", "src/cli", "src",
    "benches/storm", "tests/testkit", "tests", "benches",
]
PRODUCT = ("src/", "actors/")
FUNCTION_LINES_MAX = 80
ITEM = re.compile(r"^\s*pub (?:const |async |unsafe )*(?:fn|struct|enum|trait|type|const|static) ([A-Za-z_][A-Za-z0-9_]*)")


def area(name: str) -> str:
    return next((area for area in AREAS if name.startswith(area + "/")), "other")


def crate(name: str) -> str:
    for manifest in (Path(name).parents):
        if (ROOT / manifest / "Cargo.toml").exists():
            return str(manifest)
    return "."


def is_test(name: str) -> bool:
    return name.endswith("/tests.rs") or "/tests/" in name or name.endswith(("/golden.rs", "/laws.rs"))


def functions(lines: list[str]):
    """Name and length of each function, by the indentation that rustfmt gives it."""
    for at, line in enumerate(lines):
        match = re.match(r"^(\s*)(?:pub(?:\([a-z: ]+\))? )?(?:const |async |unsafe )*fn ([a-z_0-9A-Z]+)", line)
        if not match or line.rstrip().endswith((";", "}")):
            continue
        end = match.group(1) + "}"
        for last in range(at + 1, len(lines)):
            if lines[last].startswith(end) and lines[last].strip() in ("}", "},"):
                yield match.group(2), last - at + 1
                break


def main() -> None:
    sources = {}
    for path in sorted(ROOT.rglob("*.rs")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(("target", ".")):
            sources[name] = path.read_text()
    table = defaultdict(lambda: [0, 0, 0, 0, 0, 0])
    lengths, long, without = [], [], []
    for name, text in sources.items():
        head, mark, tests = text.partition("\n#[cfg(test)]\nmod tests {")
        row = table[area(name)]
        row[0] += 1
        row[1] += len(text.splitlines())
        if is_test(name) and name.startswith(PRODUCT):
            row[5] += len(text.splitlines())
            continue
        row[5] += len(tests.splitlines()) + bool(mark)
        for line in head.splitlines():
            bare = line.strip()
            row[4 if not bare else 3 if bare.startswith(("///", "//")) else 2] += 1
        if name.startswith(PRODUCT):
            lengths.append((len(head.splitlines()), name))
            if not text.startswith("//!"):
                without.append(name)
            long += [(size, f"{name} {fn}") for fn, size in functions(head.splitlines()) if size > FUNCTION_LINES_MAX]
    print(f"{'area':<16}{'files':>7}{'lines':>8}{'code':>8}{'docs':>8}{'blank':>8}{'tests':>8}")
    for one in AREAS + ["other"]:
        if one in table:
            print(f"{one:<16}" + "".join(f"{n:>{7 if i == 0 else 8}}" for i, n in enumerate(table[one])))
    product = [row for one, row in table.items() if (one + "/").startswith(PRODUCT)]
    print(f"{'product':<16}" + "".join(f"{sum(row[i] for row in product):>{7 if i == 0 else 8}}" for i in range(6)))
    lengths.sort()
    print(f"\nfiles: median {lengths[len(lengths) // 2][0]} lines before tests, longest {lengths[-1]}, without //! {without}")
    print(f"functions over {FUNCTION_LINES_MAX} lines: {len(long)}")
    for size, fn in sorted(long, reverse=True)[:20]:
        print(f"  {size} {fn}")
    words = {name: set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text)) for name, text in sources.items()}
    of = {name: crate(name) for name in sources}
    public, alone = 0, []
    for name, text in sources.items():
        if not name.startswith(PRODUCT) or is_test(name) or of[name] == ".":
            continue
        for line in text.partition("\n#[cfg(test)]\nmod tests {")[0].splitlines():
            match = ITEM.match(line)
            if match:
                public += 1
                item = match.group(1)
                if not any(item in words[other] for other in words if of[other] != of[name]):
                    alone.append(f"{name} {item}")
    print(f"\npublic items of the members: {public}, of these named nowhere outside their crate: {len(alone)}")
    if "--all" in sys.argv:
        print("\n".join(f"  {one}" for one in alone))


main()
