"""What of the founding article holds, exactly, and where is that shown?

Gathers the table of `ledger.toml`: claim, exact statement, verdict, value, and the script and test that show it.  Every
value is read from paper/numbers; a number, script or test that is not there stops the build.  Writes paper/ledger.md,
and prints it with --print; with --short the table of the README.  The paper reads the same from paper/ledger.json.
"""

import argparse
import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
VERDICTS = ("holds", "holds if", "corrected", "false", "measured", "no claim")
KEYS = {"id", "erratum", "article", "exact", "verdict", "value", "scripts", "tests", "says", "short"}
CLAIMS = {f"C{i}" for i in range(1, 41)}
ERRATA = {f"E{i}" for i in range(1, 19)}
VALUE = re.compile(r"\{([\w]+):([^{}:]+)(?::([^{}]*))?\}")  # {file:key.of.a.number:format}


@cache
def numbers(name: str) -> Any:
    """What an analysis wrote."""
    path = ROOT / "paper" / "numbers" / f"{name}.json"
    if not path.exists():
        raise SystemExit(f"ledger: expected {path.relative_to(ROOT)}, which is not there; run make figures-all")
    return json.loads(path.read_text(encoding="utf-8"))


def number(name: str, key: str) -> Any:
    """A number of an analysis by its path, names and places of lists joined by points."""
    found = within(numbers(name), key.split("."))
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise SystemExit(f"ledger: expected a number at {key!r} in paper/numbers/{name}.json, got {found!r}")
    return found


def within(found: Any, parts: Sequence[str]) -> Any:
    """What lies at a path, or None; a name may have points in it ("0.001")."""
    if not parts:
        return None if isinstance(found, Mapping | list) else found
    if isinstance(found, list):
        place = int(parts[0]) if parts[0].lstrip("-").isdigit() else len(found)
        return within(found[place], parts[1:]) if -len(found) <= place < len(found) else None
    for taken in range(1, len(parts) + 1) if isinstance(found, Mapping) else ():
        if (name := ".".join(parts[:taken])) in found:
            return within(found[name], parts[taken:])
    return None


def filled(value: str) -> str:
    """The text with its numbers put in."""
    text = VALUE.sub(lambda found: format(number(found[1], found[2]), found[3] or ""), value)
    if "{" in text or "}" in text:
        raise SystemExit(f"ledger: expected {{file:key:format}}, got {text!r}")
    return text


def checked(claims: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The claims with their values, each with a known verdict and with what shows it; else SystemExit."""
    names = [claim["id"] for claim in claims]
    errata = {claim["erratum"] for claim in claims if "erratum" in claim}
    missing = sorted((CLAIMS - set(names)) | (ERRATA - errata))
    if missing or len(set(names)) < len(names):
        raise SystemExit(f"ledger: expected each claim and erratum once, got {names} without {missing}")
    return [checked_claim(claim) for claim in claims]


def checked_claim(claim: Mapping[str, Any]) -> dict[str, Any]:
    """A claim with its value filled in."""
    name, said = claim["id"], claim.get("value", "") + claim.get("short", "")
    if unknown := set(claim) - KEYS:
        raise SystemExit(f"ledger: {name}: expected {', '.join(sorted(KEYS))}, got {', '.join(sorted(unknown))}")
    if claim["verdict"] not in VERDICTS:
        raise SystemExit(f"ledger: {name}: expected a verdict of {', '.join(VERDICTS)}, got {claim['verdict']!r}")
    if not VALUE.search(claim.get("value", "")) and not claim.get("tests") and claim["verdict"] != "no claim":
        raise SystemExit(f"ledger: {name}: a verdict needs a number or a test behind it")
    read = {found[1].removesuffix("_full") for found in VALUE.finditer(said)}
    if unnamed := read - set(claim.get("scripts", [])):
        raise SystemExit(f"ledger: {name}: expected the scripts of its numbers, got none for {', '.join(unnamed)}")
    scripts = [f"analyses/{script}.py" for script in claim.get("scripts", [])]
    missing = [script for script in scripts if not (ROOT / script).exists()]
    missing += [test for test in claim.get("tests", []) if not is_test(test)]
    if missing:
        raise SystemExit(f"ledger: {name}: expected {missing[0]}, which is not there")
    short = {"short": filled(claim["short"])} if "short" in claim else {}
    return {**claim, **short, "value": filled(claim.get("value", "")), "scripts": scripts}


def in_order(claim: Mapping[str, Any]) -> tuple[bool, int, str]:
    """C1 to C40 by number, then what the article does not say, by name."""
    numbered = claim["id"][1:].isdigit()
    return not numbered, int(claim["id"][1:]) if numbered else 0, claim["id"]


def is_test(name: str) -> bool:
    """Whether tests/file.py::test_name is defined there."""
    path, _, function = name.partition("::")
    if not re.fullmatch(r"tests/test_\w+\.py", path) or not function.startswith("test_") or not (ROOT / path).exists():
        return False
    return re.search(rf"^def {function}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE) is not None


def full_table(claims: Sequence[Mapping[str, Any]]) -> str:
    """The ledger in Markdown, a section for each claim."""
    parts = ["# What of the founding article holds", "", INTRODUCTION, ""]
    for claim in claims:
        erratum = f", erratum {claim['erratum']}" if "erratum" in claim else ""
        parts += [f"## {claim['id']}: {claim['verdict']}{erratum}", "", f"> {claim['article']}", "", claim["exact"], ""]
        if claim["value"]:
            parts += [f"**Measured:** {claim['value']}", ""]
        shown = [f"`{path}`" for path in [*claim["scripts"], *claim.get("tests", [])]]
        if shown:
            parts += [f"Shown by {', '.join(shown)}.", ""]
    return "\n".join(parts)


INTRODUCTION = (
    'The claims of "The information theory behind UMAP" (Aidan Rocke, 2023), each stated exactly, with its verdict '
    "and what shows it.  Losses are in nats over unordered pairs unless it says otherwise; row sums leave the point "
    "itself out.  `make ledger` writes this page from `analyses/ledger.toml` and the numbers of the analyses.\n\n"
    "Verdicts: **holds** as written; **holds if**: under the condition stated; **corrected**: true after the change "
    "stated; **false**: contradicted; **measured**: no yes or no, but numbers; **no claim**: an opinion, or nothing "
    "said.\n\n"
    "Symbols: k = n_neighbors, the point itself counted; n points; P_ij = p_(j|i) directed and p_ij symmetric edge "
    "probabilities, mu those left after pruning; S_i and c_i sums of a row and a column of P, d_i of p; rho_i and "
    "sigma_i offset and width of row i; r_k distance to the last neighbour on the list; D dimension of the data; q "
    "= 1/(1 + a d^(2b)) similarity in the layout, a, b its constants; nu* the q at which the effective loss is "
    "least; m_neg = negative_sample_rate, gamma = repulsion_strength; h the entropy of a Bernoulli variable, h2 in "
    "bits."
)


def short_table(claims: Sequence[Mapping[str, Any]]) -> str:
    """The rows of the README: those claims that have a short form."""
    rows = ["| The article says | Verdict | What holds |", "|---|---|---|"]
    rows += [f"| {claim['says']} | {claim['verdict']} | {claim['short']} |" for claim in claims if "short" in claim]
    return "\n".join(rows)


def main() -> None:
    """Write the page, and print it or the README's table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--print", action="store_true", help="print the whole table")
    parser.add_argument("--short", action="store_true", help="print the README's table")
    parser.add_argument("--out", type=Path, default=ROOT / "paper", help="folder to write ledger.md and ledger.json to")
    options = parser.parse_args()
    with (ROOT / "analyses" / "ledger.toml").open("rb") as file:
        claims = sorted(checked(tomllib.load(file)["claim"]), key=in_order)
    page = full_table(claims)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "ledger.md").write_text(page, encoding="utf-8")
    table = {"introduction": INTRODUCTION, "verdicts": VERDICTS, "claims": claims}
    text = json.dumps(table, indent=2, sort_keys=True, ensure_ascii=False)
    (options.out / "ledger.json").write_text(text + "\n", encoding="utf-8")
    if options.print:
        print(page)
    if options.short:
        print(short_table(claims))
    counted = {verdict: sum(claim["verdict"] == verdict for claim in claims) for verdict in VERDICTS}
    said = ", ".join(f"{count} {verdict}" for verdict, count in counted.items() if count)
    print(f"ledger: {len(claims)} claims ({said}); wrote {options.out / 'ledger.md'} and .json")


if __name__ == "__main__":
    main()
