"""Moving averages in closed form."""

import pytest
import torch
from torch import nn

from trainables.optim.ema import update_average


def layers(*values):
    networks = [nn.Linear(2, 3) for _ in values]
    for network, value in zip(networks, values, strict=True):
        for parameter in network.parameters():
            nn.init.constant_(parameter, value)
    return networks


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.99, 1.0])
def test_the_distance_to_a_resting_network_shrinks_as_a_power_of_the_momentum(momentum):
    average, online = layers(1.0, 5.0)
    for _ in range(7):
        update_average(average, online, momentum)
    for parameter in average.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, 5 - 4 * momentum**7))


def test_the_online_network_stays_as_it_is():
    average, online = layers(1.0, 5.0)
    update_average(average, online, 0.5)
    assert all((parameter == 5).all() for parameter in online.parameters())


def test_equal_networks_stay_bit_for_bit_equal():
    average, online = nn.Linear(20, 30), nn.Linear(20, 30)
    average.load_state_dict(online.state_dict())
    update_average(average, online, 0.99)
    assert torch.equal(average.weight, online.weight)


def test_statistics_of_batch_norm_are_not_averaged():
    average, online = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    online.running_mean.fill_(3.0)
    update_average(average, online, 0.5)
    assert average.running_mean.tolist() == [0, 0]


def test_leaves_no_trace_in_the_graph():
    average, online = layers(1.0, 5.0)
    update_average(average, online, 0.5)
    assert all(p.grad_fn is None and p.requires_grad for p in average.parameters())
