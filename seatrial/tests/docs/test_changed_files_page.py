"""Every row of `docs/reference/changed-files.md` names a test that proves it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

SEATRIAL = Path(__file__).parents[2]
PAGE = (SEATRIAL / "docs" / "reference" / "changed-files.md").read_text()
ROWS = [name.strip() for name in re.findall(r"^\| ([^|]+)\|[^|]+\|$", PAGE, re.MULTILINE)][2:]

PROOFS = {
    "a file in a folder that is sent": "test_changed_test_file_causes_no_build",
    "a deleted file in a folder that is sent": "test_changes_are_sent_and_deletions_too",
    "any other file that the Dockerfile copies": (
        "test_file_outside_of_sync_and_file_of_a_rebuild_pattern_rebuild_the_image"
    ),
    "a file that no COPY takes or that `.dockerignore` leaves out": (
        "test_what_is_no_input_does_not_change_the_digest"
    ),
    "`.dockerignore` itself": "test_change_that_sync_cannot_apply_is_built_and_explained",
    "the Dockerfile, `target`": "test_inputs_that_are_no_files_rebuild",
    "the value of a build argument": "test_changed_build_argument_is_rebuilt",
    "the content of a build secret": "test_every_input_changes_the_digest",
    "the id of a base image on the engine": "test_changed_base_image_of_a_kept_pod_is_rebuilt",
    "a file of `[runner] rebuild`": "test_file_outside_of_sync_and_file_of_a_rebuild_pattern_rebuild_the_image",
    "a file of an image that a release uses": "test_image_that_a_release_uses_is_rebuilt",
    "a chart, its values files, `set`": "test_digest_changes_with_chart_values_and_names",
    "a manifest": "test_object_that_no_file_contains_any_more_is_deleted",
    "a file of `pull-secrets`": "test_pull_secret_is_applied_again_when_its_file_changed",
    "a ConfigMap or Secret that a workload uses": "test_pods_with_an_older_config_map_are_recreated",
    "a Secret or ConfigMap of `[runner] env-from`": "test_pod_is_recreated_when_its_secret_changed",
    "the `[runner]` settings of the pod: `env`, `resources`, `rules`, …": (
        "test_the_digest_changes_with_all_that_matters_and_with_nothing_else"
    ),
    "a release that is removed from the configuration": "test_release_that_is_no_longer_configured_is_uninstalled",
    "the kind configuration": "test_kept_cluster_is_unchanged",
    "an object of a release, edited by hand": "test_manually_scaled_workload_is_recreated_by_an_upgrade",
    "a report that a run wrote (`.coverage`, `coverage.xml`, …)": "test_reports_of_a_run_are_not_inputs_of_the_image",
    "a data file that tests created in a folder that is sent": "test_snapshot_that_no_pattern_names_stays_in_the_pod",
    "a module, a setting of pytest or a link that tests created there": (
        "test_what_python_or_pytest_would_load_is_deleted_before_the_next_run"
    ),
    "a file of the working tree that tests changed in the pod": "test_changed_file_of_the_working_tree_is_reset",
    "a file that `collect-into-tree` copied into the working tree": (
        "test_snapshot_that_a_pattern_names_comes_into_the_working_tree"
    ),
    "a file of the build that tests changed or deleted in the pod": (
        "test_pod_that_lost_files_of_the_build_is_recreated"
    ),
}


def test_every_row_has_a_proof_and_every_proof_a_row():
    assert list(PROOFS) == ROWS


def test_every_proof_exists():
    defined = {
        node.name
        for file in (SEATRIAL / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef)
    }

    assert set(PROOFS.values()) - defined == set()
