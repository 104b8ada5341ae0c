"""What tests of the client's side share with those of the client itself."""

from __future__ import annotations

from tests.unit.client.conftest import fakes

__all__ = ["fakes"]
