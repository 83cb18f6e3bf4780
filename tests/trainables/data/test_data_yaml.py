"""Every data set's YAML fits the function it names."""

import importlib
import inspect
from importlib import resources

import pytest
import yaml

FILES = sorted(
    (file for file in (resources.files("search_spaces") / "data").iterdir()), key=lambda f: f.name
)


@pytest.fixture(params=FILES, ids=lambda file: file.name)
def described(request):
    return request.param.name, yaml.safe_load(request.param.read_text())


def test_tells_what_encoders_and_views_need(described):
    name, data = described
    assert data["name"] == name.removesuffix(".yaml")
    assert {"num_classes", "channels", "image_size", "mean", "std", "mirror"} <= set(data)
    assert isinstance(data["mirror"], bool)
    assert len(data["mean"]) == len(data["std"])
    assert len(data["mean"]) in (1, data["channels"])


def test_gives_every_argument_of_the_factory_and_no_other(described):
    splits = described[1]["splits"]
    module, _, function = splits.pop("_target_").rpartition(".")
    arguments = inspect.signature(getattr(importlib.import_module(module), function)).parameters
    assert set(splits) == set(arguments)


def test_a_setting_has_one_place(described):
    data = described[1]
    for key, value in data["splits"].items():
        if key in data:
            assert value == f"${{data.{key}}}"
