from __future__ import annotations

from seatrial.config.source import DEFAULT, Origin, Source


def test_later_origin_overrides_an_earlier_one() -> None:
    assert list(Origin) == sorted(Origin)
    assert max(Origin.FILE, Origin.ENVIRONMENT, Origin.DEFAULT) is Origin.ENVIRONMENT
    assert max(Origin) is Origin.COMMAND_LINE


def test_source_is_shown_as_its_place() -> None:
    assert str(Source(Origin.FILE, "seatrial.toml:12")) == "seatrial.toml:12"
    assert str(DEFAULT) == "default"
