"""Trainers of recipes whose settings were composed where Hydra is, built where it is not."""

import importlib
import json
from pathlib import Path

import torch

from trainables.data.image_set import ImageSet
from trainables.random_state import seed_everything
from trainables.trainer import Trainer

SETTINGS = Path(__file__).parent / "settings.json"
STUDIES = ("simclr", "msr", "rocl", "swaro", "fast_at")
PARTS = ("method", "optimizer", "lr_schedule", "batches", "trainer", "max_epochs")


def compose():
    """Return the text of the settings of all recipes; needs Hydra."""
    from raystudy.config import compose

    recipes = {}
    for study in STUDIES:
        whole = compose.plain(compose.load(study, ["data=cifar10"]))
        recipes[study] = {part: whole[part] for part in PARTS}
    return json.dumps(recipes, indent=1) + "\n"


def build(node, **more):
    """Return what Hydra makes of plain settings."""
    if isinstance(node, list):
        return [build(one) for one in node]
    if not isinstance(node, dict):
        return node
    values = {key: build(value) for key, value in node.items() if key[0] != "_"}
    if "_target_" not in node:
        return values
    module, _, name = node["_target_"].rpartition(".")
    made = getattr(importlib.import_module(module), name)
    if node.get("_partial_"):
        return lambda *given: made(*given, **values, **more)
    return made(**values, **more)


def encoder_of(options, depth):
    """Return the settings of a ResNet, or of what stands in for it in a check."""
    settings = {"channels": 3, "mean": [0.5], "std": [0.25]}
    if options.small:
        return settings | {"_target_": "trainables.networks.small_conv.SmallConv", "widths": [4, 8]}
    return settings | {
        "_target_": "trainables.networks.resnet.ResNet",
        "depth": depth,
        "stem": "cifar",
    }


def trainer_of(study, options, depth=18, precision="bfloat16", mode=None):
    """Return a trainer of a recipe on random images."""
    recipe = json.loads(SETTINGS.read_text())[study]
    recipe["method"]["encoder"] = encoder_of(options, depth)
    recipe["batches"]["batch_size"] = options.batch
    clusters = recipe["method"].get("clusters")
    if clusters:
        clusters["num_clusters"] = min(clusters["num_clusters"], options.images // 2)
    how = {"precision": precision, "compile": mode is not None, "compile_mode": mode or "default"}
    recipe["trainer"] |= how | {"compile_backend": options.backend}
    seed_everything(0)
    pixels = torch.randint(256, (options.images, 3, options.pixels, options.pixels))
    train = ImageSet(pixels.to(torch.uint8), torch.arange(options.images) % 10).to(options.device)
    trainer = Trainer(
        method=build(recipe["method"]),
        optimizer=build(recipe["optimizer"]),
        lr_schedule=build(recipe["lr_schedule"]),
        train=train,
        batches=build(recipe["batches"])(train),
        max_epochs=recipe["max_epochs"],
        options=build(recipe["trainer"]),
    )
    trainer.epoch = trainer.max_epochs // 2  # behind SwARo's warm-up
    return trainer
