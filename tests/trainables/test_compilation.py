"""Encoders and augmentation compiled for training steps."""

import pytest
import torch
from like_cuda_graphs import GRAPHS, NAME
from torch._dynamo import register_backend

from raystudy.config import compose
from raystudy.errors import UserError
from raystudy.trial.build import build_evaluators, build_trainer, load_splits
from trainables.compilation import CompiledStep, missing_compiler
from trainables.data.image_set import Splits
from trainables.methods.simclr import SimCLR
from trainables.networks.small_conv import SmallConv

compiled = []


@register_backend
def counting(graph, _):
    """Compile nothing, and count how often it was asked to."""
    compiled.append(graph)
    return graph.forward


def method(width=2):
    return SimCLR(
        encoder=SmallConv(channels=1, widths=[width], mean=[0.5], std=[0.5]),
        projector_width=2,
        embedding_width=2,
        augment=lambda images: images,
        temperature=0.5,
    )


def trainer_and_splits(study, images, *overrides):
    settings = compose.load(study, ["device=cpu", "encoder.widths=[2,4]", *overrides])
    whole = load_splits(settings)
    splits = Splits(whole.train.rows(slice(images)), whole.val, whole.test, whole.classes)
    return build_trainer(settings, splits), build_evaluators(settings), splits


COMPILED = ["trainer.compile=true", f"trainer.compile_backend={NAME}"]


def test_the_compiler_does_not_tire_of_unlike_encoders_in_one_process():
    for trial in range(1, 11):
        unlike = method(width=trial)
        with CompiledStep(unlike, backend="counting", mode="default").in_use():
            unlike.encoder(torch.rand(2, 1, 4, 4))
        assert len(compiled) == trial


def test_neither_evaluation_nor_an_epochs_last_smaller_batch_is_compiled_for():
    overrides = ["batch_size=64", "max_epochs=2", "attack.steps=1", *COMPILED]
    trainer, evaluators, splits = trainer_and_splits("rocl", 160, *overrides)
    GRAPHS.clear()
    for _ in trainer.epochs():
        for evaluator in evaluators.values():
            evaluator(trainer.method, splits)
    shapes = [shape for _, shape in GRAPHS.passes]
    assert {shape[0] for shape in shapes} == {64, 128, 192}  # not 32, 64 and 96


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["compile_backend=nonsense"], "compile_backend must be one of .*inductor.*got 'nonsense'"),
        (["compile_mode=fast"], "compile_mode must be one of default, reduce-overhead.*got 'fast'"),
        (
            ["compile_backend=aot_eager", "compile_mode=reduce-overhead"],
            "compile_mode=reduce-overhead needs trainer.compile_backend=inductor, got 'aot_eager'",
        ),
    ],
)
def test_what_torch_does_not_have_is_refused(overrides, sentence):
    with pytest.raises(UserError, match=f"^trainer.{sentence}"):
        trainer_and_splits("simclr", 256, *(f"trainer.{o}" for o in ["compile=true", *overrides]))


def test_without_a_compiler_inductor_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UserError, match=r"^trainer.compile=true needs a compiler.* g\+\+ .* CXX"):
        trainer_and_splits("simclr", 256, "trainer.compile=true")
    compiler = tmp_path / "my-c++"
    compiler.touch(0o755)
    monkeypatch.setenv("CXX", f"{compiler} -m64")
    assert missing_compiler("cpu") is None
