#!/usr/bin/env python3
"""Build the image of the Dockerfile and push it as a Daytona snapshot."""

import argparse
import os
import sys
from pathlib import Path

from daytona import CreateSnapshotParams, Daytona, Image

DOCKERFILE = Path(__file__).parent / "Dockerfile"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default=os.environ.get("DAYTONA_SNAPSHOT_NAME", "roman-bench-runner"))
    args = parser.parse_args()
    params = CreateSnapshotParams(name=args.name, image=Image.from_dockerfile(DOCKERFILE))
    Daytona().snapshot.create(params, on_logs=lambda line: print(line, file=sys.stderr), timeout=0)
    print(args.name)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
