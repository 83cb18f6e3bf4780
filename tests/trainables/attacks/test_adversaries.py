"""Every file of search_spaces/adversary keeps its promises: a new one is enrolled by existing."""

import hashlib
import inspect
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from toy_classifiers import accuracy, convolutional, trained

import search_spaces
from raystudy.cli.list import list_options
from raystudy.config import catalogue, compose
from raystudy.errors import UserError
from trainables.attacks.adversary import at_once
from trainables.attacks.balls import L1Ball, L2Ball, LinfBall

TOY_BALLS = [LinfBall(epsilon=0.2), L2Ball(epsilon=2.0), L1Ball(epsilon=8.0, sparsity=0.9)]
FEW = {"steps": 10, "queries": 60, "targets": 2, "restarts": 2}


@pytest.fixture(name="learnt", scope="module")
def make_learnt():
    model, images, labels = trained(images=30)
    images = images.clone()
    images[:10] = images[:10].round()  # at the ends of the range of pixels
    return model, images, labels


@pytest.fixture(name="recipes", scope="module")
def load_recipes():
    names = catalogue.options("adversary")
    return compose.load_shared([f"+adversary@recipes.{name}={name}" for name in names]).recipes


@pytest.fixture(name="recipe", params=catalogue.options("adversary"))
def make_recipe(request, recipes):
    return instantiate(recipes[request.param])


@pytest.fixture(name="attack")
def make_attack(recipe):
    """The recipe with a budget for tests, in a ball that suits the toy."""
    settings = {
        name: min(getattr(recipe, name), most)
        for name, most in FEW.items()
        if hasattr(recipe, name)
    }
    (ball,) = (ball for ball in TOY_BALLS if type(ball) is type(recipe.ball))
    return replace(recipe, ball=ball, **settings)


def seeded(attack, problem, seed=0):
    torch.manual_seed(seed)
    return attack(*problem)


@pytest.fixture(scope="module")
def found_once(learnt):
    """Return ``found_once(name, attack)``, the images a recipe finds, made once for all tests."""
    made = {}

    def find(name, attack):
        if name not in made:
            made[name] = seeded(attack, learnt)
        return made[name]

    return find


@pytest.fixture(name="found")
def find_images(request, attack, found_once):
    return found_once(request.node.callspec.params["recipe"], attack)


def test_stays_in_its_ball_and_in_pixel_range(attack, learnt, found):
    _, images, _ = learnt
    # Adding to the image and taking it away again rounds by up to 3e-8 per pixel.
    assert (attack.ball.length(found - images) <= attack.ball.epsilon * (1 + 1e-5)).all()
    assert found.min() >= 0
    assert found.max() <= 1
    assert not found.requires_grad


def test_breaks_some_images_and_mends_none_it_spares(learnt, found):
    model, images, labels = learnt
    assert accuracy(model, found, labels) < accuracy(model, images, labels)


def test_the_same_seed_finds_the_same_images(attack, learnt, found):
    assert torch.equal(seeded(attack, learnt), found)


@pytest.mark.parametrize("grad_mode", [torch.enable_grad, torch.no_grad])
def test_leaves_the_model_and_the_images_alone(attack, grad_mode):
    model, images, labels = convolutional(torch.float32)
    model[0].weight.requires_grad_(False)
    model[-1].weight.grad = torch.ones_like(model[-1].weight)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    flags = [p.requires_grad for p in model.parameters()]
    before = images.clone()
    with grad_mode():
        seeded(attack, (model, images, labels))
    torch.testing.assert_close(model.state_dict(), state, atol=0, rtol=0)
    assert [p.requires_grad for p in model.parameters()] == flags
    assert torch.equal(model[-1].weight.grad, torch.ones_like(model[-1].weight))
    assert all(p.grad is None for p in list(model.parameters())[:-2])
    assert not any(part.training for part in model.modules())
    assert torch.equal(images, before)


def test_a_given_start_of_any_size_is_brought_into_the_ball(attack, learnt):
    images = learnt[1]
    torch.manual_seed(0)
    found = attack(*learnt, delta0=torch.randn_like(images))
    assert (attack.ball.length(found - images) <= attack.ball.epsilon * (1 + 1e-5)).all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_one_image_will_do_and_none_as_well(attack, learnt):
    model, images, labels = learnt
    for count in (0, 1):
        found = seeded(attack, (model, images[:count], labels[:count]))
        assert found.shape == images[:count].shape


def test_its_repr_tells_the_whole_recipe(recipe):
    for name in inspect.signature(type(recipe)).parameters:
        assert f"{name}={getattr(recipe, name)!r}" in repr(recipe)


def test_every_file_begins_with_what_it_is_and_where_its_numbers_are_from():
    folder = Path(search_spaces.__file__).parent / "adversary"
    for path in folder.rglob("*.yaml"):
        first = path.read_text().splitlines()[0]
        assert first.startswith("# "), path.name
        assert "(" in first, path.name


def test_all_recipes_are_what_evaluations_were_keyed_by(recipes):
    """They were written out one by one; settings are hashed into the keys of evaluations."""
    text = json.dumps(compose.plain(recipes), sort_keys=True)
    assert len(recipes) == 38
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == "74c78364d046"


def test_a_file_of_ones_own_may_start_from_a_composed_adversary(tmp_path):
    (tmp_path / "adversary").mkdir()
    text = "defaults: [pgd20_l2_random, _self_]\nsteps: 7\n"
    (tmp_path / "adversary/mine.yaml").write_text(text)
    assert "mine" in catalogue.options("adversary", [str(tmp_path)])
    own = compose.compose("at", ["+adversary@mine=mine"], [str(tmp_path)]).config.mine
    assert (own.steps, own.target, own.ball.epsilon) == (7, "random", 0.5)


def test_a_file_with_the_name_of_a_composed_adversary_is_refused(tmp_path):
    (tmp_path / "adversary").mkdir()
    (tmp_path / "adversary/pgd20_linf.yaml").write_text("steps: 9\n")
    with pytest.raises(UserError, match=r"pgd20_linf.yaml: raystudy has an adversary of that name"):
        compose.load("at", ["+adversary@mine=pgd20_linf"], [str(tmp_path)])


def test_the_list_tells_of_composed_adversaries(capsys):
    assert list_options([], as_json=True) == 0
    told = json.loads(capsys.readouterr().out)["adversary"]
    assert len(told) == 38
    assert told["slide20_l1_random"].endswith("towards a wrong class drawn once")
    assert all(told.values())


@pytest.mark.parametrize(
    ("side", "standing", "copies"),
    [(8, 1, 64), (8, 20, 3), (8, 64, 1), (32, 1, 4), (32, 5, 1), (224, 1, 3)],
)
def test_few_small_images_are_attacked_several_times_at_once(side, standing, copies):
    """No batch is larger than the one given, 3 images, but for a small one."""
    given = torch.empty(3, 1, 1, 1).expand(3, 3, side, side)
    assert at_once(standing, given) == copies
