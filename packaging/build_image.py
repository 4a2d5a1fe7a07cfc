"""Build the container image with and without the laboratory, and try both: `make image`.

It needs buildah (Debian: apt-get install buildah) and no daemon: a step of the Dockerfile runs in a chroot of its own.
Where no registry can be reached, `--debian` makes the base image from Debian's packages (apt-get install debootstrap,
as root) with Debian's own Python. Each image is then run as its own user: it answers `/readyz` with a key in an empty
home, shows its laboratory or says that there is none, and with it learns from generated photographs and is evaluated
on others. Without it no address offers what cannot run. An image is removed once it is tried, unless `--keep`.

    python packaging/build_image.py [--debian] [--pip-folder /opt/wheels ...] [--certificates /etc/ssl/plant.pem]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("serve,postgresql", "serve,postgresql,train")
PORT = 8099
CUDA = "/opt/blemish/lib/python*/site-packages/nvidia /opt/blemish/lib/python*/site-packages/triton"
ENGINE = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": os.environ.get("STORAGE_DRIVER", "vfs")}


def main() -> None:
    """Build, try, and print a table of both images."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--debian", action="store_true", help="make the base image from Debian's packages")
    parser.add_argument("--pip-folder", action="append", default=[], help="folder that pip is to see too")
    parser.add_argument("--index", help="where torch's CPU wheels are, in place of the Dockerfile's")
    parser.add_argument(
        "--certificates", help="authorities that pip is to trust, where a proxy looks into TLS"
    )
    parser.add_argument("--keep", action="store_true", help="leave the images there")
    given = parser.parse_args()
    base = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)[0]
    if given.debian:
        _make_base(f"docker.io/library/{base}")
    print(
        "| image | built in, s | size, MB | installed, MB | of these CUDA, MB | torch |\n|---|---:|---:|---:|---:|---|"
    )
    for extras in EXTRAS:
        image = "localhost/blemish:" + extras.replace(",", "-")
        with tempfile.TemporaryDirectory() as folder:
            options = _for_pip(Path(folder), given.pip_folder, given.certificates)
            options += [f"--build-arg=EXTRAS={extras}"]
            options += [f"--build-arg=INDEX={given.index}"] if given.index else []
            options += ["--pull-never"] if given.debian else []
            started = time.perf_counter()
            _buildah("build", "--network=host", *options, f"--tag={image}", str(ROOT))
            seconds = time.perf_counter() - started
        print(f"| {extras} | {seconds:.0f} | {_size(image):.0f} | {' | '.join(_tried(image))} |", flush=True)
        if not given.keep:
            _buildah("rmi", "--force", image)


def _for_pip(folder: Path, found: list[str], certificates: str | None) -> list[str]:
    """What a build mounts, so that pip looks into folders and trusts certificates; none of it is in the image."""
    lines = ["[global]"]
    mounts = [f"--volume={one}:{one}:ro" for one in found]
    if found:
        lines.append(f"find-links = {' '.join(found)}")
    if certificates:
        mounts.append(f"--volume={Path(certificates).resolve()}:/etc/pip-certificates.pem:ro")
        lines.append("cert = /etc/pip-certificates.pem")
    (folder / "pip.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [*mounts, f"--volume={folder / 'pip.conf'}:/etc/pip.conf:ro"]


def _make_base(name: str) -> None:
    """An image of Debian with its own Python, under the name that the Dockerfile begins from."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        wanted = "--include=python3,python3-venv,ca-certificates"
        subprocess.run(
            ["debootstrap", "--variant=minbase", wanted, "bookworm", root, "http://deb.debian.org/debian"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (root / "usr/bin/python").symlink_to("python3")
        container = _buildah("from", "scratch")
        _buildah("add", "--quiet", container, str(root), "/")
        _buildah("commit", "--quiet", "--rm", container, name)


def _tried(image: str) -> tuple[str, str, str]:
    """Run the image: what is installed in MB, how much of it is CUDA's, and whether torch is."""
    laboratory = image.endswith("train")
    container = _buildah("from", "--pull-never", image)
    with tempfile.TemporaryDirectory() as folder:
        shared = Path(folder)
        shared.chmod(0o777)
        try:
            inside = ("run", f"--volume={shared}:/shared", container)
            assert "uid=10001" in _buildah(*inside, "id")
            megabytes = _buildah(*inside, "du", "-sm", "/opt/blemish").split()[0]
            cuda = _buildah(*inside, "sh", "-c", f"du -smc {CUDA} 2> /dev/null | tail -n 1").split()[0]
            installed = _buildah(*inside, "pip", "list")
            assert bool(re.search(r"^torch ", installed, re.MULTILINE)) == laboratory, installed
            if laboratory:
                _buildah(*inside, "blemish", "sample", "/shared/line", "--category", "washer")
                learn = ("fit", "/shared/line/washer", "--quick", "--out", "/shared/washer.blemish")
                _buildah(*inside, "blemish", *learn)
                judge = (
                    "evaluate",
                    "/shared/washer.blemish",
                    "/shared/line/washer",
                    "--out",
                    "/shared/judged",
                )
                assert "AUROC" in _buildah(*inside, "blemish", *judge)
            made = _buildah(*inside, "blemish", "key", "create", "tried", "--role", "admin", "--json")
            _answers(inside, json.loads(made)["key"], laboratory)
        finally:
            _buildah("rm", container)
    return megabytes, cuda, "yes" if laboratory else "no"


def _answers(inside: tuple[str, ...], key: str, laboratory: bool) -> None:
    """Serve, and ask what the image's health check asks; then for the parts, and for the laboratory."""
    command = ["buildah", *inside, "blemish", "serve", "--host", "0.0.0.0", "--port", str(PORT)]
    silent = subprocess.DEVNULL  # buildah says that it was ended
    process = subprocess.Popen(command, env=os.environ | ENGINE, stdout=silent, stderr=silent)
    try:
        for _ in range(120):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=2) as answer:
                    assert answer.status == 200
                _offers(key, laboratory)
                return
            except OSError:
                assert process.poll() is None, "the service has ended"
                time.sleep(1)
        raise AssertionError("the service is not ready after two minutes")
    finally:
        process.terminate()
        process.wait(timeout=60)


def _offers(key: str, laboratory: bool) -> None:
    """What the head of the page leads to is there, and nothing else that only the laboratory can do."""
    status, first = _page("/", key)
    assert status == 200
    (head,) = re.findall(r"<nav .*?</nav>", first, re.DOTALL)
    offered = re.findall(r'href="([^"]+)"', head)
    assert [path for path in offered if _page(path, key)[0] != 200] == []
    for path in ("/train", "/explore", "/benchmark", "/laboratory/"):
        assert (path in offered) == laboratory, offered
        status, text = _page(path, key)
        assert laboratory == ("blemish[train]" not in text), path
        assert path != "/laboratory/" or status == (200 if laboratory else 404)


def _page(path: str, key: str) -> tuple[int, str]:
    """Status and text of a page."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{PORT}{path}", headers={"Authorization": f"Bearer {key}", "Accept": "text/html"}
    )
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _size(image: str) -> float:
    """Size of an image in MB, as buildah says it."""
    value, unit = _buildah("images", "--format={{.Size}}", image).split()
    return float(value) * {"MB": 1, "GB": 1000}[unit]


def _buildah(*arguments: str) -> str:
    """What buildah prints; its own words on stderr are shown when it fails."""
    done = subprocess.run(["buildah", *arguments], env=os.environ | ENGINE, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"buildah {' '.join(arguments)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
