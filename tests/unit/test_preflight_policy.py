"""What checkov's report means."""

from typing import Any

from infra.preflight.policy import MIN_RESOURCES, SKIPPED, judged


def report(**summary: int) -> dict[str, Any]:
    """A report in which exactly what we skip fails."""
    failed = [
        {
            "check_id": policy,
            "check_name": "n",
            "file_path": "/app/x.bicep",
            "resource": f"T.{symbol}",
        }
        for policy, symbol in SKIPPED
    ]
    counts = {"parsing_errors": 0, "resource_count": MIN_RESOURCES, **summary}
    return {"summary": counts, "results": {"failed_checks": failed}}


def test_policy_passes_what_is_skipped_with_a_reason() -> None:
    """And every entry of the list has one."""
    assert list(judged(report())) == []
    assert all(len(reason) > 10 for reason in SKIPPED.values())


def test_policy_fails_on_a_file_that_checkov_cannot_parse() -> None:
    """Checkov itself ends with 0 then: the file is simply not looked at."""
    assert [one.text for one in judged(report(parsing_errors=1))] == ["could not parse a template"]
    assert list(judged({})) != []


def test_policy_fails_if_checkov_sees_too_little() -> None:
    """A scan of the wrong folder finds nothing wrong."""
    (found,) = judged(report(resource_count=3))
    assert "saw 3 things only" in found.text


def test_policy_fails_on_what_is_not_skipped() -> None:
    """The same policy on another resource counts."""
    given = report()
    given["results"]["failed_checks"].append(
        {
            "check_id": "CKV_AZURE_1",
            "check_name": "n",
            "file_path": "/app/y.bicep",
            "resource": "T.y",
        }
    )
    (found,) = judged(given)
    assert str(found) == "policy: app/y.bicep y: CKV_AZURE_1 n"


def test_policy_fails_on_a_skip_that_nothing_needs() -> None:
    """A reason that has outlived its cause would hide the next one."""
    given = report()
    gone = given["results"]["failed_checks"].pop()
    (found,) = judged(given)
    assert gone["check_id"] in found.text
