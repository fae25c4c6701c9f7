"""checkov and parliament over the templates of all configurations: nothing is open, and nothing accepted without need."""

import json
from collections.abc import Sequence
from pathlib import Path

from tests.scanners.accepted import ACCEPTED
from tests.scanners.scan import Finding, checkov, run_parliament
from tests.scanners.templates import Template


def test_nothing_is_open(findings: Sequence[Finding]) -> None:
    still_open = [finding for finding in findings if not any(each.covers(finding) for each in ACCEPTED)]
    assert not still_open, "\n".join(sorted({str(finding) for finding in still_open}))


def test_each_accepted_finding_still_occurs(findings: Sequence[Finding]) -> None:
    """At each of its constructs."""
    stale = [
        f"{accepted.check} {accepted.detail} {path}"
        for accepted in ACCEPTED
        for path in accepted.paths
        if not any(finding.path == path and accepted.covers(finding) for finding in findings)
    ]
    assert not stale, "\n".join(stale)


def test_checkov_finds_a_public_bucket(tmp_path: Path) -> None:
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"AccessControl": "PublicRead"}}
    template = Template("default", json.dumps({"Resources": {"Open": bucket}}), {"Open": "Open"})
    assert "CKV_AWS_20" in {finding.check for finding in checkov([template], tmp_path / "checkov")}


def test_parliament_finds_an_action_that_does_not_exist(tmp_path: Path) -> None:
    statement = {"Effect": "Allow", "Action": "s3:ReadObject", "Resource": "*"}
    (tmp_path / "0.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert [found["issue"] for found in run_parliament(tmp_path)] == ["UNKNOWN_ACTION"]
