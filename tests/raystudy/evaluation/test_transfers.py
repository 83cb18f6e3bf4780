"""Black-box transfer: interrupted and gone on with, and told to MLflow."""

import json

import pytest
import torch

from raystudy.evaluation import transfers
from raystudy.evaluation.locate import find
from raystudy.evaluation.runner import Order, measure
from trainables.networks.small_conv import SmallConv

SHORT = (
    "~suite.attacks.pgd20_linf",
    "suite.max_images=20",
    "suite.batch_size=10",
    "suite.checks=null",
    "suite.protocols.le_swaro.fit.max_epochs=2",
    "suite.transfers.transfer_linf.adversary.steps=2",
    "suite.transfers.transfer_linf.epsilons=[0.05,0.2]",
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Return two measured networks."""
    home, made = tmp_path_factory.mktemp("home"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAYSTUDY_HOME", str(home))
        for seed in range(2):
            torch.manual_seed(seed)
            network = SmallConv(channels=1, widths=[32, 64, 128], mean=[0.3], std=[0.4])
            torch.save(network.state_dict(), home / f"{seed}.pt")
            origin = find(str(home / f"{seed}.pt"), ["encoder=small_conv"])
            made.append(
                Order(origin=origin, suite="swaro_table4", overrides=SHORT, output_dir=home)
            )
            assert measure(made[-1], lambda _: True)
    return made


@pytest.fixture
def orders(measured, monkeypatch):
    """Return them as they were before transfers between them."""
    monkeypatch.setenv("RAYSTUDY_HOME", str(measured[0].output_dir))
    for path in results(measured):
        path.unlink(missing_ok=True)
    return measured


def results(orders):
    return [order.folder / "swaro_table4-transfer.json" for order in orders]


def test_interrupted_anywhere_is_uninterrupted(orders):
    steps = []
    straight = transfers.measure(orders, lambda step: steps.append(step) or True)
    assert len(steps) == 4  # two radii, two batches each
    assert [json.loads(path.read_text()) for path in results(orders)] == [straight, straight]
    for stop in (1, 3):
        for path in results(orders):
            path.unlink()
        first = iter(steps[: stop - 1])
        assert transfers.measure(orders, lambda _, left=first: next(left, None) is not None) is None
        rest = []
        heard = rest.append
        assert transfers.measure(orders, lambda step, hear=heard: hear(step) is None) == straight
        assert rest == steps[stop:]
        assert not list(orders[0].folder.glob("*transfer.ckpt"))


def test_what_is_finished_is_not_measured_again(orders):
    first = transfers.measure(orders, lambda _: True)
    assert transfers.measure(orders, lambda _: pytest.fail("it is measured already")) == first
    again = transfers.measure(orders[::-1], lambda _: True)
    assert again["networks"] == first["networks"][::-1]
    for one, other in zip(first["matrices"], again["matrices"], strict=True):
        assert one["accuracy"] == [row[::-1] for row in other["accuracy"][::-1]]


def test_each_run_hears_of_its_own_column_and_warnings(orders):
    found = transfers.measure(orders, lambda _: True)
    found["matrices"][1]["warnings"]["1.pt"] = ["Images from 0.pt break more."]
    added = transfers.attachment(found, "swaro_table4", 1)
    key = "test/le_swaro/transfer transfer_linf 0.2 from 0.pt"
    assert added.metrics[key] == found["matrices"][1]["accuracy"][0][1]
    assert added.tags == {
        "raystudy.warnings.swaro_table4.transfer": "transfer_linf, linf 0.2: "
        "Images from 0.pt break more."
    }
    assert json.loads(added.files["swaro_table4-transfer.json"]) == found
    assert transfers.attachment(found, "swaro_table4", 0).tags == {
        "raystudy.warnings.swaro_table4.transfer": "none"
    }
