from __future__ import annotations

from planted import tests_of

test_planted = tests_of("b")
