from pathlib import Path


def test_the_small_layer_is_there() -> None:
    assert Path("/small").read_text().strip().isdigit()
