"""What a test states for a budget wins over the scenario's default."""

from __future__ import annotations

import pytest

from pytest_rmqha.budgets import Budgets
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.waiting import seconds


def test_a_stated_budget_wins_and_the_others_keep_their_default() -> None:
    budget = Budgets({"publishing": 5})

    assert budget("publishing", seconds(15)) == seconds(5)
    assert budget("failover", seconds(10)) == seconds(10)


def test_a_name_that_is_no_budget_is_refused_with_the_names() -> None:
    with pytest.raises(UserInputError, match=r"budget.*puplishing.*publishing, delivery"):
        Budgets()("puplishing", seconds(1))
