"""Lighthouse's scores of the sign-up page on a phone, where npm and Chromium are there."""

import json
import os
import shutil
import subprocess
import sys

LIGHTHOUSE = "lighthouse@12.8.2"  # the last that runs on Node 20
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")


def scores(url: str) -> dict[str, float]:
    """Each category's score, 0 to 100, and when most is painted; none where it cannot be run."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not (chromium and shutil.which("npm")):
        print("Lighthouse needs npm and Chromium.", file=sys.stderr)
        return {}
    command = [
        "npm", "exec", "--yes", "--", LIGHTHOUSE, url, "--quiet", "--output=json",
        f"--only-categories={','.join(CATEGORIES)}",
        "--chrome-flags=--headless=new --no-sandbox --disable-quic --disable-background-networking",
    ]  # fmt: skip
    environ = os.environ | {"CHROME_PATH": chromium}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"Lighthouse did not run: {done.stderr.strip()[-500:]}", file=sys.stderr)
        return {}
    found = json.loads(done.stdout)
    scores = {name: 100 * found["categories"][name]["score"] for name in CATEGORIES}
    paint = found["audits"]["largest-contentful-paint"]["numericValue"]
    return scores | {"largest paint on slow 4G, s": paint / 1000}
