"""Run the notebook of this folder and keep what it shows.

    python examples/run_notebook.py                      # after the quickstart, in place
    python examples/run_notebook.py --run RUN --photographs FOLDER --to copy.ipynb

Needs nbformat, nbclient and ipykernel: the extra "notebook". Times and versions are left out of
the file, so that the same outputs are the same file.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from torchreid_amd.core.files import save_text

HERE = Path(__file__).resolve().parent


def run_notebook(path: Path, to: Path, run: Path, photographs: Path) -> None:
    """Run a notebook's cells in a new kernel, and write it with its outputs.

    Args:
        path: the notebook.
        to: where to write it.
        run: what its variable RUN of the environment names: a run folder.
        photographs: the same of PHOTOGRAPHS: a folder.
    """
    notebook = nbformat.read(path, as_version=4)
    for name, value in (("RUN", run), ("PHOTOGRAPHS", photographs)):
        inside = value.absolute().is_relative_to(HERE)  # as a reader would write it
        os.environ[name] = os.path.relpath(value, HERE) if inside else str(value.absolute())
    os.environ["PYTHONWARNINGS"] = "ignore"
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", record_timing=False)
    client.execute(cwd=str(HERE))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    save_text(nbformat.writes(notebook) + "\n", to)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; 1 where a cell fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--notebook", type=Path, default=HERE / "explain.ipynb", help="which (default: this)")
    parser.add_argument("--to", type=Path, help="where to write it (default: over itself)")
    output = HERE / "output"
    parser.add_argument("--run", type=Path, default=output / "interpreter", help="run folder")
    people = output / "reid-data" / "synthetic_attr" / "Market-1501-v15.09.15" / "query"
    parser.add_argument("--photographs", type=Path, default=people, help="folder of photographs")
    args = parser.parse_args(argv)
    try:
        run_notebook(args.notebook, args.to or args.notebook, args.run, args.photographs)
    except CellExecutionError as error:
        print(f"run_notebook: a cell of {str(args.notebook)!r} fails\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
