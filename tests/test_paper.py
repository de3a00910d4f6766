"""The paper: every number read from what a script wrote, statements with proofs and tests, the same bytes."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ledger import is_test, number

ROOT = Path(__file__).parents[1]
PAPER = ROOT / "paper"
TEXTS = sorted([PAPER / "paper.typ", PAPER / "template.typ", *(PAPER / "text").glob("*.typ")])
ALL = "\n".join(path.read_text(encoding="utf-8") for path in TEXTS)

# What digits may stand for: claims and errata, the article's equations, an appendix, a shape of a curve or level of a
# heading, the settings of all runs, what is added to or taken from a share, and two coordinates a vertex.
ALLOWED = re.compile(
    r"\b[CE]\d+\b|\((?:6|8)\)|f: x => x - 1|f: x => 1 - x|f: x => x / 2|it\.level == 1|update\(0\)"
    r"|\b500 epochs|\band 200 above"
)
MATH_ALLOWED = re.compile(r"0\.95|k = 100")  # a threshold of the literature, a setting
READERS = ("n", "count", "percent", "sig", "power", "word", "number", "span", "level", "timing")


def without_calls(text, names):
    """The text without the strings and numbers of digits in calls of what reads numbers."""
    out, place = [], 0
    for found in re.finditer(rf"(?<![\w-])(?:{'|'.join(names)})\(", text):
        if found.start() < place:
            continue
        depth, end = 1, found.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        call = re.sub(r'"[^"\n]*"', "", text[found.start() : end])
        out += [text[place : found.start()], re.sub(r"\bdigits: \d+", "", call)]
        place = end
    return "".join([*out, text[place:]])


def loose_digits(text):
    """The digits of a Typst source that neither are read from a file nor belong to mathematics, layout or a name."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
    text = without_calls(text, READERS)
    found = []
    for part in re.findall(r"\$[^$]*\$", text):
        found += re.findall(r"\d+\.\d+|\d{3,}|^\$\s*-?\d{2,}\s*\$$", MATH_ALLOWED.sub("", part))
    text = re.sub(r"\$[^$]*\$", "", text)
    for part in re.findall(r"`[^`\n]*`", text):
        found += re.findall(r"(?<![\w.])\d[\d.]*", part)
    text = re.sub(r"`[^`\n]*`", "", text)
    text = re.sub(r'"(?=[^"\n]*[A-Za-z])[\w./:-]+"|numbering: "[^"]*"|\w+\("[1A.]+"\)', "", text)  # paths, names
    text = re.sub(r"<[\w-]+>|@[\w-]+|\\u\{\w+\}|rgb\([^)]*\)|luma\([^)]*\)", "", text)  # labels, letters, colours
    text = re.sub(r"\b\d+(?:\.\d+)?(?:pt|em|cm|fr|%(?=[,)]))", "", text)  # lengths
    return found + re.findall(r"\d[\d.,]*", ALLOWED.sub("", text))


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_sources__hold_no_digits_of_results(path):
    assert loose_digits(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "the mean degree is 5.83",
        "ends 35% above it",
        "$D_1 = 9.87$ neighbours",
        "in $1797$ digits",
        "$12$ negative directions",
        '#text("75 %")',
        '#grouped("70000")',
        "`75` of them",
        '#n("degree", "ring.log2_k", f: x => 3.9)',
        "#table([mean], [12])",
        "over 7 seeds",
    ],
)
def test_loose_digits__are_found(text):
    assert loose_digits(text)


@pytest.mark.parametrize(
    "text",
    [
        '#n("degree", "ring.log2_k", digits: 3) of @thm-1',
        "claim C10, erratum E7, its (8)",
        "$k = 15$, $10^(-6)$ in `float64`  // of 1797",
        '#plot("degree", script: "degree", width: 88%, label: <fig-1>)[Degrees.]',
    ],
)
def test_digits_that_are_no_results__are_let_be(text):
    assert loose_digits(text) == []


def statements():
    """(label, tests) of each statement in the sources."""
    form = re.compile(r"#theorem\(\n(.*?)\n\)\[.*?\n\] <([\w-]+)>", re.DOTALL)
    return [(found[2], re.findall(r'"(tests/[^"]+)"', found[1])) for found in form.finditer(ALL)]


def test_every_statement__has_one_proof_and_every_proof_a_statement():
    labels = [label for label, _ in statements()]
    assert len(labels) == ALL.count("#theorem(") > 0
    assert sorted(labels) == sorted(re.findall(r"#proof\(<([\w-]+)>\)", ALL))


@pytest.mark.parametrize(("label", "tests"), statements(), ids=[label for label, _ in statements()])
def test_every_statement__names_tests_that_exist_and_one_that_searches_for_counterexamples(label, tests):
    assert tests
    assert [name for name in tests if not is_test(name)] == []
    assert any(searches(name) for name in tests)


def searches(name):
    """Whether a test is a property that Hypothesis tries to refute."""
    path, _, function = name.partition("::")
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith(f"def {function}("))
    above = []
    for line in reversed(lines[:place]):
        if not line.strip() or line.startswith("def "):
            break
        above.append(line)
    return any(line.startswith("@given(") for line in above)


def test_every_figure__is_of_the_script_that_it_names_and_is_referred_to():
    figures = re.findall(r'#plot\("(\w+)", script: "(\w+)",[^\n]*label: <([\w-]+)>\)\[', ALL)
    pairs = re.findall(r'#two-plots\(\("(\w+)", "(\w+)"\), scripts: \("(\w+)", "(\w+)"\), label: <([\w-]+)>\)\[', ALL)
    assert len(figures) == ALL.count("#plot(") > 0
    assert len(pairs) == ALL.count("#two-plots(")
    figures += [(pair[place], pair[2 + place], pair[4]) for pair in pairs for place in (0, 1)]
    for file, script, label in figures:
        assert file.removesuffix("_full").removesuffix("_mnist") == script
        assert (PAPER / "figures" / f"{file}.pdf").exists()
        assert (ROOT / "analyses" / f"{script}.py").exists()
        assert f"@{label}" in ALL
    named = re.findall(r'#path\("([\w/]+\.py)"\)', ALL)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert ALL.count("image(") == 2  # those of plot and two-plots


def test_every_part_of_the_text__is_included_once():
    included = re.findall(r'#include "(?:text/)?([\w]+\.typ)"', ALL)
    assert sorted(included) == sorted(path.name for path in (PAPER / "text").glob("*.typ"))


def test_text__loses_no_semicolon_after_a_call():
    assert re.findall(r"#[\w-]+\((?:\([^()]*\)|[^()])*\);", ALL) == []  # Typst takes it as the end of the call


def test_bibliography__is_cited_in_full():
    entries = re.findall(r"^@\w+\{(\w+),", (PAPER / "references.bib").read_text(encoding="utf-8"), re.MULTILINE)
    assert entries
    assert [entry for entry in entries if f"@{entry}" not in ALL] == []


@pytest.mark.usefixtures("committed_numbers")
def test_ledger_of_the_paper__is_the_one_that_the_ledger_writes(tmp_path):
    command = [sys.executable, "analyses/ledger.py", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ledger.json").read_bytes() == (PAPER / "ledger.json").read_bytes()


@pytest.mark.usefixtures("committed_numbers")
def test_summary__has_the_numbers_of_the_analyses_and_no_others():
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    marked = re.compile(r"([\d.,eE+-]+%?)<!-- ([\w]+):(.+?):([^: ]*) -->")
    values = marked.findall(text)
    assert values
    for said, name, key, form in values:
        assert said == format(number(name, key), form), key
    rest = re.sub(r"\]\([^)]*\)|`[^`]*`", "", marked.sub("", text))
    assert re.findall(r"(?<![A-Za-z])\d[\d.,]*", rest) == []  # but log2, R2


@pytest.fixture(scope="module")
def build():
    """paper/build.py."""
    pytest.importorskip("typst", reason="typst is not installed")
    spec = importlib.util.spec_from_file_location("build", PAPER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_paper__is_built_to_the_same_bytes_twice_by_processes_of_their_own(build, tmp_path):
    for name in ("one", "two"):
        command = [sys.executable, "paper/build.py", "--out", str(tmp_path / name)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").read_bytes().startswith(b"%PDF")


NUMBERS = {"here": 1234.5, "list": [0.25, -2e-7], "a name with 0.1": {"of": 3}, "text": "three", "truth": True}
NUMBERS |= {"mixed": [1, "two"], "none": []}


@pytest.fixture
def document(build, tmp_path):
    """Typesets a line of Typst beside numbers of its own, and says its text as Typst writes it."""
    (tmp_path / "paper" / "numbers").mkdir(parents=True)
    (tmp_path / "paper" / "numbers.typ").write_bytes((PAPER / "numbers.typ").read_bytes())
    (tmp_path / "paper" / "numbers" / "tiny.json").write_text(json.dumps(NUMBERS), encoding="utf-8")

    def written(line):
        source = tmp_path / "paper" / "tiny.typ"
        source.write_text(f'#import "/paper/numbers.typ": *\n#metadata({line}) <said>', encoding="utf-8")
        build.built(source, tmp_path)
        found = json.loads(build.compiler(source, tmp_path).query("<said>", field="value", one=True))
        return found if isinstance(found, str) else json.dumps(found)

    return written


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('n("tiny", "here", digits: 1)', "1234.5"),
        ('n("tiny", "list.0", digits: 3)', "0.250"),
        ('n("tiny", "list.-1")', "0.00"),
        ('count("tiny", "a name with 0.1.of")', "3"),
        ('count("tiny", "here", f: x => 1000 * x)', "1,234,500"),
        ('percent("tiny", "list.0")', "25%"),
        ('sig("tiny", "here", digits: 2)', "1200"),
        ('n("tiny", "here", of: ("tiny", "list.0"), digits: 0)', "4938"),
        ('span("tiny", "list")', "0.00 to 0.25"),
        ('span("tiny", "list", digits: 0)', "0"),
        ('word("tiny", "text")', "three"),
    ],
)
def test_a_number__is_written_as_asked(document, line, said):
    assert document(line) == said


def test_a_power_of_ten__has_its_sign_and_exponent(document):
    said = document('power("tiny", "list.1", digits: 2)')
    assert "2.0" in said
    assert json.dumps("\N{MINUS SIGN}7") in said


@pytest.mark.parametrize(
    "key", ["gone", "here.more", "list.2", "list.-3", "list", "text", "truth", "a name with 0.1", ""], ids=repr
)
def test_a_number_that_is_not_there__stops_the_build(document, key):
    with pytest.raises(RuntimeError, match=r"expected a finite number at .* in /paper/numbers/tiny\.json"):
        document(f'n("tiny", "{key}")')


@pytest.mark.parametrize("key", ["gone", "here", "mixed", "none"])
def test_a_list_of_numbers_that_is_none__stops_the_build(document, key):
    with pytest.raises(RuntimeError, match=r"expected finite numbers at .* in /paper/numbers/tiny\.json"):
        document(f'span("tiny", "{key}")')


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
def test_a_number_that_is_not_finite__stops_the_build(document, tmp_path, value):
    (tmp_path / "paper" / "numbers" / "tiny.json").write_text(f'{{"here": {value}}}', encoding="utf-8")
    with pytest.raises(RuntimeError):
        document('n("tiny", "here")')


def test_a_file_of_numbers_that_is_not_there__stops_the_build(document):
    with pytest.raises(RuntimeError, match="gone"):
        document('n("gone", "here")')
