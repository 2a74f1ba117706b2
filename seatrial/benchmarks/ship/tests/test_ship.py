from pathlib import Path


def test_image_contains_small_layer() -> None:
    assert Path("/small").read_text().strip().isdigit()
