"""Better search with a checkpoint from elsewhere: learn what people wear, then rank by it, too.

    python examples/rerank_by_attributes.py osnet_x0_25 weights.pth people labels.csv query.jpg folder

``people`` holds photographs of some people under at least two of your own cameras, named like
Market-1501's (0002_c1s1_000451_03.jpg: person 2, camera 1); ``labels.csv`` says what they wear:

    pid,backpack,upred,hat
    2,1,0,0

Nothing is trained; the model stays what it is. The ten lines that matter are those of :func:`main`.
"""

from __future__ import annotations

import sys

import torchreid_amd as amd
from torchreid_amd import InputError


def main(model: str, weights: str, people: str, labels: str, query: str, folder: str) -> None:
    explainer = amd.Explainer.from_target(model, weights, metric="cosine")
    known = amd.rerank.labelled_folder(people, labels)
    reranker = amd.rerank.fit(explainer, known)
    for strength, score in reranker.choice.curve:
        print(f"λ = {strength:g}: mAP {score:.1f} % of people who were held out")
    print(f"λ = {reranker.strength:g} is taken: {reranker.choice.reason}")
    ranking = amd.rerank.rank(reranker, explainer, query, folder)
    print(ranking.summary(topk=10))
    reranker.save("reranker.safetensors")  # amd.rerank.Reranker.load gives it back


if __name__ == "__main__":
    if len(sys.argv) != 7:
        sys.exit("usage: rerank_by_attributes.py MODEL WEIGHTS PEOPLE LABELS QUERY FOLDER")
    try:
        main(*sys.argv[1:])
    except InputError as error:
        sys.exit(str(error))
