"""Builds paper/umapinfo.pdf from paper/paper.typ, the numbers in paper/numbers and the figures in paper/figures.

Nothing is computed and nothing downloaded: fonts are those that the Typst compiler brings along.  The bytes depend on
the sources alone.  A number that is not there stops the build.  --pages writes each page as a picture too.
"""

import argparse
import sys
from pathlib import Path

import typst

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "paper" / "paper.typ"


def compiler(source: Path = SOURCE, root: Path = ROOT) -> typst.Compiler:
    """Typst on a document, which sees the files under the root and the fonts of the compiler alone."""
    return typst.Compiler(source, root=root, ignore_system_fonts=True, package_path=root / "none")


def built(source: Path = SOURCE, root: Path = ROOT) -> bytes:
    """The document as PDF, the same bytes of the same sources; typst.TypstError where a number is missing."""
    return compiler(source, root).compile(timestamp=0)


def pages(source: Path = SOURCE, root: Path = ROOT, ppi: float = 100) -> list[bytes]:
    """The pages as PNG pictures."""
    found = compiler(source, root).compile(format="png", ppi=ppi, timestamp=0)
    return found if isinstance(found, list) else [found]


def main() -> None:
    """Write the paper, and say where and how many pages it has."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "paper" / "umapinfo.pdf", help="file to write")
    parser.add_argument("--pages", type=Path, help="folder to write each page to, as a picture")
    options = parser.parse_args()
    try:
        document, pictures = built(), pages(ppi=110 if options.pages else 10)
    except typst.TypstError as error:
        sys.exit(f"paper: {error}\n{error.diagnostic}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(document)
    if options.pages:
        options.pages.mkdir(parents=True, exist_ok=True)
        for place, picture in enumerate(pictures, start=1):
            (options.pages / f"page-{place:02}.png").write_bytes(picture)
    print(f"paper: wrote {options.out}, {len(pictures)} pages")


if __name__ == "__main__":
    main()
