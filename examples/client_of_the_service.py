"""A client of the service: start `blemish serve` with an inspector, and have photographs judged over HTTP."""

import json
import subprocess
import sys
from pathlib import Path

import httpx

import blemish as bl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/client-of-the-service")
(washers,) = bl.write_sample_line(
    folder / "sample-line", ("washer",), train=16, good=2, per_defect_type=1, size=128
)
bl.fit(washers, folder / "washer.blemish", size=128, coreset_size=200)

# On a line the service runs already, started by systemd or Docker; here it is started for a moment, on a free port.
command = [sys.executable, "-m", "blemish", "serve", "--json", "--port", "0", "--no-page"]
command += ["--home", str(folder / "home"), "--inspector", str(folder / "washer.blemish")]
service = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
try:
    lines = []
    while not lines or lines[-1].rstrip() != "}":  # one JSON document says where it listens
        lines.append(service.stdout.readline())
    address = json.loads("".join(lines))["address"]

    # One client for all photographs: it keeps its connection, which saves time with each of them.
    with httpx.Client(base_url=address, timeout=30) as client:
        for path in sorted((washers / "test").glob("*/000.png")):
            form = {"images": (path.name, path.read_bytes(), "image/png")}
            answer = client.post("/v1/inspect", data={"inspector": "washer"}, files=form)
            answer.raise_for_status()
            (found,) = answer.json()["inspections"]
            print(f"{found['verdict']:>6}  score {found['score']:.2f}  {path.parent.name}")

        # A person corrects the last verdict, and the history knows it from then on.
        truth = {"truth": "bad", "defect_type": path.parent.name}
        client.post(f"/v1/inspections/{found['id']}/feedback", json=truth).raise_for_status()
        print(client.get(f"/v1/inspections/{found['id']}").json()["defect_type"])
finally:
    service.terminate()
    service.wait()
    service.stdout.close()
