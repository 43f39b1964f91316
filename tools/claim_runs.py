"""Do the claims hold for other seeds and on other pictures?

    python tools/claim_runs.py --seeds 20

runs every chapter with seeds 0 to 19 on the drawn digits and, where MNIST is present, on MNIST,
two at a time, and prints for each claim how often it held and its narrowest margin. Results are
kept in _build/claims/, one file a run; what is there already is not run again, so an interrupted
call goes on where it stopped. A change in a chapter or in the package starts afresh.
"""

import argparse
import hashlib
import json
import os
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]


class Run(NamedTuple):
    chapter: Path
    seed: int
    pictures: str

    def result(self, folder: Path) -> Path:
        return folder / f"{self.chapter.stem}-{self.pictures}-{self.seed}.jsonl"


def plan(chapters: list[Path], seeds: int, pictures: list[str]) -> list[Run]:
    return [Run(c, seed, name) for seed in range(seeds) for name in pictures for c in chapters]


def pictures_at_hand() -> list[str]:
    """The drawn digits always, MNIST where `VAE_COURSE_DATA` has it."""
    data = os.environ.get("VAE_COURSE_DATA")
    return ["digits", "mnist"] if data and (Path(data) / "MNIST").is_dir() else ["digits"]


def execute(run: Run, folder: Path) -> None:
    """Run one notebook to its end, failing claims included, and keep what it claimed."""
    unfinished = run.result(folder).with_suffix(".part")
    unfinished.write_text("")
    env = os.environ | {
        "VAE_COURSE_CLAIMS": str(unfinished),
        "VAE_COURSE_DIGITS": run.pictures,
        "VAE_COURSE_SEED": str(run.seed),
        "OMP_NUM_THREADS": "1",
        "TQDM_DISABLE": "1",
    }
    notebook = nbformat.read(run.chapter, as_version=4)
    client = NotebookClient(notebook, timeout=600, allow_errors=True, kernel_name="python3")
    client.execute(env=env, cwd=str(folder))
    for error in errors_of(notebook):
        with unfinished.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"error": error}) + "\n")
    unfinished.rename(run.result(folder))  # only a run that came to its end counts


def errors_of(notebook) -> list[str]:
    """Errors other than failed claims: these leave later claims unmeasured."""
    outputs = (o for cell in notebook.cells for o in cell.get("outputs", []))
    return [
        f"{output.ename}: {output.evalue}"
        for output in outputs
        if output.output_type == "error" and not output.evalue.startswith("✗")
    ]


def tally(results: dict[Run, Path]) -> tuple[list[str], bool]:
    """A line per claim and pictures, narrowest first, and whether all held everywhere."""
    records = defaultdict(list)
    errors = []
    for run, path in results.items():
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            if "error" in record:
                errors.append(f"{run.chapter.stem}, {run.pictures}, seed {run.seed}: {record}")
            else:
                records[record["notebook"], run.pictures, record["name"]].append(record)
    lines = [_line(key, found) for key, found in sorted(records.items(), key=_tightness)]
    held = all(record["holds"] for found in records.values() for record in found)
    return lines + errors, held and not errors


def _relative_margin(record: dict) -> float:
    """The margin in units of the tolerance, or of the bound."""
    if record["margin"] is None:
        return float("-inf")
    bound = record["bound"]
    scale = bound.get("within", max(map(abs, bound.values())))
    return record["margin"] / (scale or 1.0)


def _tightness(item: tuple) -> float:
    return min(map(_relative_margin, item[1]))


def _line(key: tuple[str, str, str], found: list[dict]) -> str:
    notebook, pictures, name = key
    worst = min(found, key=_relative_margin)
    held = sum(record["holds"] for record in found)
    return (
        f"{held:3d} of {len(found):3d}  margin {100 * _relative_margin(worst):7.1f} %  "
        f"{notebook}  {pictures:7s}  {name}: {worst['value']} against {worst['bound']}"
    )


def fingerprint(chapters: list[Path]) -> str:
    """Results are good for exactly these notebooks and this package."""
    digest = hashlib.sha256()
    for path in [*chapters, *sorted((ROOT / "vae_course").rglob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds, from 0 (default 20)")
    parser.add_argument("chapters", nargs="*", type=Path, help="notebooks (default: all chapters)")
    options = parser.parse_args()
    chapters = options.chapters or sorted((ROOT / "book").glob("*.ipynb"))
    folder = ROOT / "_build" / "claims" / fingerprint(chapters)
    folder.mkdir(parents=True, exist_ok=True)
    runs = plan(chapters, options.seeds, pictures_at_hand())
    todo = [run for run in runs if not run.result(folder).exists()]
    with ThreadPoolExecutor(2) as pool:
        list(tqdm(pool.map(lambda run: execute(run, folder), todo), total=len(todo), unit="run"))
    lines, good = tally({run: run.result(folder) for run in runs})
    print("\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
