"""Serves the checkout only: loads the plugin where the package is not installed, and pytester for our own tests."""

from __future__ import annotations

import pytest

pytest_plugins = ("pytester",)


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_rmqha import plugin

    if not pluginmanager.is_registered(plugin) and not pluginmanager.is_blocked("rmqha"):
        pluginmanager.register(plugin, "rmqha")
