"""Build deploy/Dockerfile where neither an engine nor a registry is: by buildah, over a base made by debootstrap."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

PROJECT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = PROJECT / "deploy" / "Dockerfile"
BASE: Final = "docker.io/library/python:3.11-slim"
IMAGE: Final = "amo-relay-test"
_TOOLS: Final = ("buildah", "crun", "debootstrap")
_SUITE: Final = "bookworm"  # its Python is 3.11
_BASE_DOCKERFILE: Final = "FROM scratch\nADD base.tar /\n"
_CERTIFICATES: Final = "/etc/ssl/certs/ca-certificates.crt"


def build() -> None:
    """Build the image, and before it whatever is missing of tools and base."""
    _install()
    if not _exists(BASE):
        _build_base()
    # --format docker: the other one has no HEALTHCHECK.
    buildah("bud", "--pull-never", "--layers", "--format", "docker", "-f", str(DOCKERFILE), "-t", IMAGE, str(PROJECT))


def configuration() -> dict[str, Any]:
    """Return what the image says of itself: its user, environment, command and health check."""
    found: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", IMAGE, quiet=True))["Docker"]["config"]
    return found


def buildah(*arguments: str, quiet: bool = False) -> str:
    """Run buildah, its output to the terminal unless `quiet`; return what it printed. Raises CalledProcessError."""
    out = subprocess.PIPE if quiet else None
    ran = subprocess.run(["buildah", *arguments], env=environment(), check=True, text=True, stdout=out)
    return ran.stdout or ""


def environment() -> dict[str, str]:
    """Return the environment in which buildah needs neither a daemon nor a kernel that lends it namespaces."""
    return {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs", **os.environ}


def _install() -> None:
    if all(map(shutil.which, _TOOLS)):
        return
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *_TOOLS],
    ):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _exists(image: str) -> bool:
    asked = ["buildah", "inspect", "--type", "image", image]
    return subprocess.run(asked, env=environment(), capture_output=True, check=False).returncode == 0


def _build_base() -> None:
    """Make a base under the name that the Dockerfile asks for: Debian with its own Python 3.11."""
    with tempfile.TemporaryDirectory(prefix="image-base-") as folder:
        root, context = Path(folder, "root"), Path(folder, "context")
        context.mkdir()
        include = "--include=python3,python3-venv,ca-certificates"
        subprocess.run(["debootstrap", "--variant=minbase", include, _SUITE, str(root), _mirror()], check=True)
        dockerfile = _BASE_DOCKERFILE
        if own := os.environ.get(
            "SSL_CERT_FILE"
        ):  # this machine reaches its package index through a certificate of its own
            shutil.copyfile(own, root / _CERTIFICATES.lstrip("/"))
            dockerfile += f"ENV PIP_CERT={_CERTIFICATES}\n"
        subprocess.run(["tar", "-C", str(root), "-cf", str(context / "base.tar"), "."], check=True)
        (context / "Dockerfile").write_text(dockerfile)
        buildah("bud", "--format", "docker", "-t", BASE, str(context))


def _mirror() -> str:
    """Return where this machine's own packages come from."""
    asked = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", f"Codename: {_SUITE}"]
    sites = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split()
    if not sites:
        raise SystemExit(f"the base is made of Debian {_SUITE}, and this machine's apt knows no mirror of it")
    return sites[0]
