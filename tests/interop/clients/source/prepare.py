"""A processing script: sorts and counts; its argument and its environment are the caller's."""

import argparse
import json
import os
import pathlib

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--threshold", type=float, required=True)
    args = parser.parse_args()
    rows = pathlib.Path("/opt/ml/processing/input/numbers.csv").read_text().split()
    kept = sorted(float(row) for row in rows if float(row) > args.threshold)
    output = pathlib.Path("/opt/ml/processing/output")
    output.mkdir(parents=True, exist_ok=True)
    (output / "kept.json").write_text(json.dumps({"kept": kept, "colour": os.environ["COLOUR"]}))
    print("rows kept:", len(kept))
