"""Print the scores of a finished run and draw a pair and a ranking from its test data.

    python examples/show_run.py log/run --save-dir examples/output

The query is the first of the test set; the pair is the first photographs of the first two persons.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torchreid_amd as amd
from torchreid_amd.core.host import image_dataset
from torchreid_amd.evaluation import score_table
from torchreid_amd.interpreter.run_record import read_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="run folder")
    parser.add_argument("--save-dir", default=".", help="where the figures go (default: here)")
    parser.add_argument("--query", type=int, default=0, help="number of the query (default: 0, the first)")
    args = parser.parse_args()

    for name, scores in read_run(args.run)["scores"]["datasets"].items():
        print(f"\n{name}\n{score_table(scores)}\n")

    explainer = amd.Explainer.from_pretrained(args.run)
    where = explainer.config["data"]
    data = image_dataset(where["targets"][0], where["root"])
    query, pid, camera, _ = data.query[args.query]
    gallery = [path for path, p, c, _ in data.gallery if (p, c) != (pid, camera)]
    ranking = explainer.explain_ranking(query, gallery, topk=10)
    other = next(path for path, p, _, _ in data.query if p != pid)
    pair = explainer.explain(query, other)
    print(f"{pair.summary()}\n")

    save_dir = Path(args.save_dir)
    for path, draw in ((save_dir / "pair.png", pair.plot), (save_dir / "ranking.png", ranking.plot)):
        draw(path)
        print(path)


if __name__ == "__main__":
    main()
