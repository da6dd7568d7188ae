"""A store whose champion is a real network with random weights."""

from tests.champion_store import champion_store, gru

__all__ = ["champion_store", "gru"]
