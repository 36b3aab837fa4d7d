"""Train a ReID model on the synthetic pedestrians with torchreid's own engine: the target.

    python examples/train_target.py --root reid-data --save-dir log/target

Nothing here is torchreid_amd's but the data set, which importing the package registers into
torchreid. The finished weights are written last, so a run that was cut off is not taken for
a finished one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.host import torchreid as import_torchreid
from torchreid_amd.targets.weights import write_checkpoint

torchreid = import_torchreid()


USE_GPU = torch.cuda.is_available()


def load(args: argparse.Namespace, sampler: str) -> Any:
    """torchreid's data manager."""
    return torchreid.data.ImageDataManager(
        root=args.root,
        sources=args.dataset,
        height=128,
        width=64,
        transforms=["random_flip", "random_crop"],
        batch_size_train=64,
        batch_size_test=256,
        workers=2,
        train_sampler=sampler,
        num_instances=4,
        use_gpu=USE_GPU,
    )


def half_precision(model: torch.nn.Module) -> None:
    """Make `model` compute in bfloat16 from now on; its weights, its output and the losses stay float32."""
    forward = torch.autocast("cuda" if USE_GPU else "cpu", torch.bfloat16)(model.forward)

    def forward_in_half(images: torch.Tensor) -> Any:
        output = forward(images)
        return tuple(part.float() for part in output) if isinstance(output, tuple) else output.float()

    model.forward = forward_in_half  # type: ignore[method-assign]


def run(
    args: argparse.Namespace, model: torch.nn.Module, sampler: str, epochs: int, lr: float, weight_t: float
) -> None:
    """Some epochs with torchreid's triplet engine: identity loss + weight_t × triplet loss."""
    optimizer = torchreid.optim.build_optimizer(model, optim="amsgrad", lr=lr)
    scheduler = torchreid.optim.build_lr_scheduler(optimizer, "cosine", max_epoch=epochs)
    engine = torchreid.engine.ImageTripletEngine(
        load(args, sampler), model, optimizer, weight_t=weight_t, scheduler=scheduler, use_gpu=USE_GPU
    )
    engine.run(save_dir=args.save_dir, max_epoch=epochs, print_freq=10)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default="reid-data", help="folder of data sets (default: reid-data)")
    parser.add_argument("--save-dir", default="log/target", help="where to write (default: log/target)")
    parser.add_argument("--model", default="osnet_x0_25", help="a torchreid model (default: osnet_x0_25)")
    parser.add_argument("--dataset", default="synthetic_attr", help="training and test data")
    parser.add_argument("--lr", type=float, default=0.003, help="at first; then two thirds (default: 0.003)")
    parser.add_argument("--warm-up", type=int, default=7, help="epochs without triplets (default: 7)")
    parser.add_argument("--epochs", type=int, default=24, help="epochs with them (default: 24)")
    parser.add_argument("--seed", type=int, default=1, help="another seed trains another target (default: 1)")
    parser.add_argument("--bf16", action="store_true", help="half precision where the processor can")
    args = parser.parse_args()

    weights = Path(args.save_dir) / "target.pth"
    if weights.exists():
        print(f"The target is trained already: {weights}")
        return 0
    try:
        train(args, weights)
    except InputError as error:
        print(f"train_target: {error}", file=sys.stderr)
        return 2
    return 0


def train(args: argparse.Namespace, weights: Path) -> None:
    """The target that the options ask for."""
    torchreid.utils.set_random_seed(args.seed)
    classes = load(args, "RandomSampler").num_train_pids
    model = torchreid.models.build_model(args.model, classes, loss="triplet", pretrained=False)
    model = model.to("cuda" if USE_GPU else "cpu", memory_format=torch.channels_last)  # quicker on a CPU
    if args.bf16:
        half_precision(model)
    # From random weights the hardest triplets pull all embeddings into one point, so the
    # identities are learnt first, without triplets.
    run(args, model, "RandomSampler", epochs=args.warm_up, lr=args.lr, weight_t=0)
    run(args, model, "RandomIdentitySampler", epochs=args.epochs, lr=args.lr * 2 / 3, weight_t=1)
    write_checkpoint(weights, model.state_dict())
    print(f"Written: {weights}")


if __name__ == "__main__":
    sys.exit(main())
