"""MoCo's loss."""

import math

import torch
from lightly.loss import NTXentLoss

from trainables.losses.info_nce import info_nce


def rows(n, seed):
    return torch.randn(n, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def scalar(queries, keys, queue, temperature):
    """The definition, a row at a time."""
    total = 0.0
    for query, key in zip(queries, keys, strict=True):
        own = math.exp(torch.cosine_similarity(query, key, dim=0) / temperature)
        others = sum(
            math.exp(torch.cosine_similarity(query, n, dim=0) / temperature) for n in queue
        )
        total -= math.log(own / (own + others))
    return total / len(queries)


def test_it_is_its_definition():
    queries, keys, queue = rows(4, 0), rows(4, 1), rows(7, 2)
    loss = info_nce(queries, keys, queue, temperature=0.2)
    assert abs(loss.item() - scalar(queries, keys, queue, 0.2)) < 1e-12


def test_it_is_lightlys_with_a_memory_bank():
    queries, keys, queue = rows(4, 0).float(), rows(4, 1).float(), rows(8, 2).float()
    peer = NTXentLoss(temperature=0.2, memory_bank_size=(8, 5))
    peer.memory_bank.bank = torch.nn.functional.normalize(queue, dim=1)
    peer.memory_bank.bank_ptr = torch.zeros(1, dtype=torch.long)
    theirs = peer(queries.requires_grad_(True), keys)
    torch.testing.assert_close(info_nce(queries, keys, queue, temperature=0.2), theirs)


def test_keys_and_queue_get_no_gradient_and_queries_the_right_one():
    queries, keys, queue = rows(3, 0).requires_grad_(), rows(3, 1).requires_grad_(), rows(4, 2)
    assert torch.autograd.gradcheck(
        lambda q: info_nce(q, keys.detach(), queue, temperature=0.5), queries
    )
    info_nce(queries, keys, queue, temperature=0.5).backward()
    assert keys.grad is None


def test_uniform_embeddings_give_the_logarithm_of_all_keys():
    same = torch.ones(3, 5, dtype=torch.float64)
    loss = info_nce(same, same, torch.ones(6, 5, dtype=torch.float64), temperature=0.3)
    assert abs(loss.item() - math.log(7)) < 1e-12
