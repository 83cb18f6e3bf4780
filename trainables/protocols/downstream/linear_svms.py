"""Linear support vector machines on frozen features: one for each class of VOC 2007."""

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables import distributed
from trainables.data.annotated.images import AnnotatedImages, AnnotatedSplits
from trainables.data.annotated.middles import Middles
from trainables.data.annotated.voc import DIFFICULT, PRESENT
from trainables.features import encode
from trainables.networks.encoder import Encoder
from trainables.protocols.base import Fitting, own_copy
from trainables.ranges import refuse_not_positive, refuse_not_whole
from trainables.trainer import EpochResult

Numbers = npt.NDArray[Any]

PIXELS = 2**22  # at once: 83 images of 224 x 224
LEVELS = np.linspace(0, 1, 11)  # of recall


@dataclass(frozen=True, kw_only=True)
class LinearSVMs:
    r"""Fit one class against all others, for each class, on features nobody trains [1]_.

    Features are those of an image's middle, divided by their length. Images in which a class is
    there but difficult are left out, of the fitting as of the measuring. The cost is that of the
    best average precision in cross-validation on the training images. Measured is

    .. math:: \mathrm{AP} = \frac{1}{11} \sum_{r \in \{0, 0.1, \ldots, 1\}}
              \max_{\tilde r \ge r} p(\tilde r)

    with p the precision at a recall, as in VOC 2007 [2]_, and its mean over the classes.

    Departures from [1]_: their code takes the area under the precision-recall curve, and features
    of several layers; ours those that the encoder ends with.

    Parameters
    ----------
    costs : sequence of float
        C of the machines, of which one is chosen for each class.
    folds : int
        Of the cross-validation.
    positive_weight : float
        Of images that have the class.
    image_size : int
        Height and width of what the encoder sees: the middle of an image whose shorter side is
        8/7 of it.
    max_iterations : int
    tolerance : float
        Of the solver.
    seed : int
        Of the solver's order.
    branch : str, optional
        Which batch norm, where the encoder has several.

    References
    ----------
    .. [1] Goyal et al. 2019, arXiv:1905.01235, Sec. 6.1, and their code.
    .. [2] Everingham et al. 2010, "The PASCAL Visual Object Classes (VOC) Challenge", Sec. 4.2.
    """

    costs: Sequence[float]
    folds: int = 3
    positive_weight: float = 2.0
    image_size: int = 224
    max_iterations: int = 2000
    tolerance: float = 1e-4
    seed: int = 0
    branch: str | None = None

    def __post_init__(self) -> None:
        if not self.costs or min(self.costs) <= 0:
            raise ValueError(f"protocol.costs must be above 0, got {list(self.costs)}.")
        refuse_not_whole("protocol.folds", self.folds, least=2)
        refuse_not_whole("protocol.image_size", self.image_size)
        refuse_not_whole("protocol.max_iterations", self.max_iterations)
        refuse_not_positive("protocol.positive_weight", self.positive_weight)
        refuse_not_positive("protocol.tolerance", self.tolerance)

    @property
    def task(self) -> str:
        """What must be annotated."""
        return "classes"

    def __call__(self, encoder: Encoder, splits: AnnotatedSplits, device: torch.device) -> Fitting:
        """Return a fitting of one class after the other."""
        self._refuse_few(splits)
        frozen = own_copy(encoder, self.branch).requires_grad_(False).to(device)
        return _Fitting(self, _Machines(frozen, len(splits.classes)).to(device), splits, device)

    def scores(
        self, network: nn.Module, splits: AnnotatedSplits, device: torch.device
    ) -> dict[str, float]:
        """Return the mean of the average precisions, and each."""
        assert isinstance(network, _Machines)
        found = network.head(self.features(network.encoder, splits.test, device)).cpu().numpy()
        labels = _labels(splits.test)
        each = {
            name: eleven_point_precision(found[:, place], labels[:, place])
            for place, name in enumerate(splits.classes)
        }
        return {"mAP": float(np.mean(list(each.values())))} | {
            f"AP/{name}": value for name, value in each.items()
        }

    def features(self, encoder: Encoder, images: AnnotatedImages, device: torch.device) -> Tensor:
        """Return features of length 1, shape (N, num_features); the ranks share the work."""
        rows = images.rows(device)
        middles = Middles(rows.images, rows.labels, images, self.image_size)
        batch = max(1, PIXELS // self.image_size**2)
        return F.normalize(encode(encoder, middles, batch_size=batch))

    def chosen_machine(self, features: Numbers, labels: Numbers) -> tuple[Numbers, float]:
        """Return weights and bias of one class's machine, shape (D + 1,), and its cost."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.model_selection import cross_val_score

        counted = labels != DIFFICULT
        x, y = features[counted], labels[counted]
        with warnings.catch_warnings():  # the largest costs take more steps than anyone gives them
            warnings.simplefilter("ignore", ConvergenceWarning)
            reached = [
                cross_val_score(
                    self._machine(cost), x, y, cv=self.folds, scoring="average_precision"
                ).mean()
                for cost in self.costs
            ]
            cost = self.costs[int(np.argmax(reached))]
            machine = self._machine(cost).fit(x, y)
        return np.append(machine.coef_[0], machine.intercept_), cost

    def _machine(self, cost: float) -> Any:
        from sklearn.svm import LinearSVC

        return LinearSVC(
            C=cost,
            class_weight={1: self.positive_weight, -1: 1.0},
            dual=True,
            max_iter=self.max_iterations,
            tol=self.tolerance,
            random_state=self.seed,
        )

    def _refuse_few(self, splits: AnnotatedSplits) -> None:
        train, test = _labels(splits.train), _labels(splits.test)
        for place, name in enumerate(splits.classes):
            column = train[:, place]
            least = min(int((column == side).sum()) for side in (PRESENT, -PRESENT))
            if least < self.folds:
                raise ValueError(
                    f"protocol.folds={self.folds} of the training images need that many with and "
                    f"without each class; of '{name}' there are {least}."
                )
            if not (test[:, place] == PRESENT).any():
                raise ValueError(f"no test image has a '{name}', whose precision is then nothing.")


def eleven_point_precision(scores: Numbers, labels: Numbers) -> float:
    """Return the average precision of VOC 2007; a label of 0 counts neither way."""
    counted = labels != DIFFICULT
    order = np.argsort(-scores[counted], kind="stable")
    right = labels[counted][order] == PRESENT
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    recall = np.cumsum(right) / right.sum()
    # A recall of 3/10 is below the level 0.3 by a rounding error.
    reached = [precision[recall >= level - 1e-9] for level in LEVELS]
    return float(np.mean([part.max(initial=0.0) for part in reached]))


class _Machines(nn.Module):
    """An encoder, and a linear layer on its features of length 1."""

    def __init__(self, encoder: Encoder, num_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.num_features, num_classes).requires_grad_(False)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return a score for each class, shape (N, Y)."""
        scores: Tensor = self.head(F.normalize(self.encoder(images)))
        return scores


def _labels(images: AnnotatedImages) -> Numbers:
    return torch.stack(list(images.annotations)).numpy()


class _Fitting:
    """One class after the other; several ranks take as many at a time."""

    def __init__(
        self,
        settings: LinearSVMs,
        network: _Machines,
        splits: AnnotatedSplits,
        device: torch.device,
    ) -> None:
        self._settings = settings
        self._network = network
        self._splits = splits
        self._device = device
        self.epoch = 0
        self.max_epochs = -(-len(splits.classes) // distributed.world_size())

    @property
    def classifier(self) -> nn.Module:
        return self._network.eval()

    def epochs(self) -> Iterator[EpochResult]:
        if self.epoch == self.max_epochs:
            return
        train = self._splits.train
        with torch.no_grad():
            features = self._settings.features(self._network.encoder, train, self._device)
        x, labels = features.cpu().numpy(), _labels(train)
        while self.epoch < self.max_epochs:
            started = time.perf_counter()
            self._fit_next(x, labels)
            self.epoch += 1
            seconds = time.perf_counter() - started
            yield EpochResult(epoch=self.epoch, metrics={}, seconds=seconds)

    @torch.no_grad()
    def _fit_next(self, features: Numbers, labels: Numbers) -> None:
        ranks, last = distributed.world_size(), labels.shape[1] - 1
        # The last classes of all may be fitted twice, to the same machine.
        mine = min(self.epoch * ranks + distributed.rank(), last)
        weights, _ = self._settings.chosen_machine(features, labels[:, mine])
        row = torch.from_numpy(weights).to(self._device)[None]
        for place, found in enumerate(distributed.gather(row), start=self.epoch * ranks):
            self._network.head.weight[min(place, last)] = found[:-1]
            self._network.head.bias[min(place, last)] = found[-1]

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "head": self._network.head.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch = state["epoch"]
        self._network.head.load_state_dict(state["head"])
