"""Prints the state of this installation and exits with 1 if the main job could not run.

Shows the versions of all packages beside the verified ones, GPUs, which backend serves each operator and why, and
combinations that are known not to work. Takes 10 to 30 seconds, because it imports what the main job imports.

    python tools/doctor.py
"""

from __future__ import annotations

import argparse

from bev.compat.report import collect, render
from bev.engine.tool_main import run_main


def main() -> int:
    """Prints the report; returns the exit status."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    report = collect()
    print(render(report))
    return 0 if report.main_job_can_run else 1


if __name__ == "__main__":
    run_main(main)
