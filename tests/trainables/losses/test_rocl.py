"""RoCL's training loss against the formula of its code."""

import torch
import torch.nn.functional as F

from trainables.losses.rocl import rocl


def contrast_as_in_the_code(views, temperature):
    """Sum the positive blocks of a square of views, without shifting exponentials.

    Small constants of the code (1e-8 beside norms and sums) are left out.
    """
    num_views, rows, _ = views.shape
    z = F.normalize(views.flatten(0, 1), dim=1)
    weights = (z @ z.T / temperature).exp()
    weights = weights * (1 - torch.eye(len(z), dtype=z.dtype))
    surprise = -(weights / weights.sum(dim=1, keepdim=True)).log()
    blocks = surprise.view(num_views, rows, num_views, rows).diagonal(dim1=1, dim2=3)
    return sum(blocks[v, w].sum() for v in range(num_views) for w in range(num_views) if v != w) / (
        num_views * rows
    )


def images(seed):
    return torch.randn(6, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_adds_the_weighted_pull_to_the_contrast_of_three_views():
    view1, view2, adversarial = (images(seed) for seed in range(3))

    def embed(x):
        return (2 * x).tanh() + 0.1

    three = torch.stack([embed(view1), embed(view2), embed(adversarial)])
    main, pull = (contrast_as_in_the_code(views, 0.5) for views in (three, three[[2, 1]]))
    loss = rocl(embed, view1, view2, adversarial, temperature=0.5, regularisation=1 / 256)
    torch.testing.assert_close(loss, main + pull / 256, atol=1e-12, rtol=0)


def test_detached_keys_change_the_gradient_and_not_the_loss():
    view1, view2, adversarial = (images(seed) for seed in range(3))
    layer = torch.nn.Linear(3, 4, dtype=torch.float64)
    losses, gradients = [], []
    for detach_keys in (False, True):
        loss = rocl(
            layer,
            view1,
            view2,
            adversarial,
            temperature=0.5,
            regularisation=1.0,
            detach_keys=detach_keys,
        )
        losses.append(loss.item())
        gradients.append(torch.autograd.grad(loss, layer.weight)[0])
    assert losses[0] == losses[1]
    assert F.cosine_similarity(*(g.flatten() for g in gradients), dim=0) > 0.5
    assert not torch.allclose(*gradients)
