"""Train a ReID model on the synthetic pedestrians with torchreid's own engine: the target.

    python examples/train_target.py --root reid-data --save-dir log/target

Nothing here is torchreid_amd's but the data set, which importing the package registers into
torchreid. The finished weights are written last, so a run that was cut off is not taken for
a finished one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import torchreid_amd
from torchreid_amd.host import torchreid as import_torchreid

torchreid = import_torchreid()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default="reid-data", help="folder of data sets (default: reid-data)")
    parser.add_argument("--save-dir", default="log/target", help="where to write (default: log/target)")
    parser.add_argument("--model", default="osnet_x0_25", help="a torchreid model (default: osnet_x0_25)")
    parser.add_argument("--dataset", default="synthetic_attr", help="training and test data")
    parser.add_argument("--epochs", type=int, default=30, help="passes over the training images (default: 30)")
    args = parser.parse_args()

    weights = Path(args.save_dir) / "target.pth"
    if weights.exists():
        print(f"The target is trained already: {weights}")
        return
    torchreid.utils.set_random_seed(1)
    data = torchreid.data.ImageDataManager(
        root=args.root,
        sources=args.dataset,
        height=128,
        width=64,
        transforms=["random_flip", "random_crop", "color_jitter"],
        batch_size_train=64,
        batch_size_test=256,
        workers=2,
        train_sampler="RandomIdentitySampler",
        num_instances=4,
        use_gpu=torch.cuda.is_available(),
    )
    model = torchreid.models.build_model(
        args.model, num_classes=data.num_train_pids, loss="triplet", pretrained=False
    )
    model = model.cuda() if torch.cuda.is_available() else model
    optimizer = torchreid.optim.build_optimizer(model, optim="adam", lr=0.0035, weight_decay=5e-4)
    scheduler = torchreid.optim.build_lr_scheduler(optimizer, "cosine", max_epoch=args.epochs)
    engine = torchreid.engine.ImageTripletEngine(
        data, model, optimizer=optimizer, scheduler=scheduler, weight_t=1.0, weight_x=1.0
    )
    engine.run(save_dir=args.save_dir, max_epoch=args.epochs, print_freq=10)
    torchreid_amd.checkpoint.write_checkpoint(weights, model.state_dict())
    print(f"Written: {weights}")


if __name__ == "__main__":
    main()
