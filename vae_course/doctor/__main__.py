"""`python -m vae_course.doctor file.py:build`: an examination with an exit status.

`build` takes no arguments and returns those of `examine` as a dict. Exit status 0: nothing found
but notes; 1: an error or a warning; 2: it could not be examined.
"""

import argparse
import json
import runpy
import sys
from pathlib import Path

from vae_course.doctor import examine
from vae_course.doctor.advice import ADVICE


def main(words: list[str] | None = None) -> int:
    asked = _parser().parse_args(words)
    path, _, name = asked.build.rpartition(":")
    try:
        sys.path.insert(0, str(Path(path).parent))
        report = examine(**runpy.run_path(path, run_name="examined")[name]())
    except Exception as error:
        print(f"{asked.build}: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    report = report.without(*asked.ignore)
    print(json.dumps(report.to_dict(), indent=1, ensure_ascii=False) if asked.json else report)
    return 0 if report.healthy else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vae_course.doctor", description=__doc__)
    parser.add_argument("build", help="file.py:function", type=_place)
    parser.add_argument(
        "--ignore",
        metavar="NAME",
        action="append",
        default=[],
        choices=list(ADVICE),
        help="a finding that you know of; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print Report.to_dict() as JSON")
    return parser


def _place(words: str) -> str:
    path, _, name = words.rpartition(":")
    if not name or not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"expected file.py:function, but got {words!r}")
    return words


if __name__ == "__main__":
    sys.exit(main())
