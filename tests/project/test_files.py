"""Files that can be read in a few minutes each."""

import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
MOST_LINES = 300


def test_a_file_of_more_than_300_lines_says_why_in_its_first_line() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    # The local AWS is a distribution of its own, with a test like this.
    files = [PROJECT / name for name in listed if not name.startswith("localaws/")]
    assert len(files) > 100
    unexplained = [
        f"{path.relative_to(PROJECT)} has {len(lines)} lines"
        for path in files
        if path.is_file()
        and len(lines := path.read_text().splitlines()) > MOST_LINES
        and "300 lines" not in lines[0]
    ]
    assert unexplained == []
