"""A folder of bounce mails that others collected, and what a peer says of them: `BOUNCE_MAILS` names the folder and
`BOUNCE_VERDICTS` the file, as `tests.conformance.bounce_mails` reads them. Without the folder this is skipped.
"""

import os
from pathlib import Path

import pytest

from tests.conformance.bounce_mails import EXPLAINED, Found, look, verdicts_in

FOLDER = os.environ.get("BOUNCE_MAILS", "")
VERDICTS = os.environ.get("BOUNCE_VERDICTS", "")
needs_mails = pytest.mark.skipif(not FOLDER, reason="BOUNCE_MAILS names no folder of bounce mails")


@pytest.fixture(scope="module")
def found() -> Found:
    return look(Path(FOLDER), verdicts_in(Path(VERDICTS)) if VERDICTS else {})


@needs_mails
def test_nine_of_ten_bounce_mails_are_read(found: Found) -> None:
    """Of 612 of Sisimai's, among which there are automatic answers and notifications of SES, 97 % were."""
    assert found.share >= 0.95
    assert len(found.refused) <= len(found.read) // 50


@needs_mails
@pytest.mark.skipif(not VERDICTS, reason="BOUNCE_VERDICTS names no file of a peer's verdicts")
def test_hard_or_not_differs_from_a_peer_for_known_reasons(found: Found) -> None:
    assert set(found.differing) <= set(EXPLAINED)
    assert found.differing.total() <= found.compared // 8
    assert found.as_expected >= 0.98 * found.compared
    assert len(found.others) <= found.compared // 30
