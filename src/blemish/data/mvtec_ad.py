"""MVTec AD, the field's reference data set, from its publisher or from a mirror of yours.

Paul Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 129 (2021). MVTec Software GmbH links to
these archives on https://www.mvtec.com/research-teaching/datasets/mvtec-ad/downloads and names no checksums
itself. The SHA-256 of the whole set is the one that anomalib checks; those of the categories were recorded by
people who downloaded them from the publisher, six of the fifteen by more than one. MVTec moves the addresses
now and then: a copy is named with `--mirror`, and the checksums hold there too.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from blemish.core.errors import DownloadError, UsageError
from blemish.core.settings import cache_folder
from blemish.data.archives import extract_tar
from blemish.data.downloads import RemoteFile, download
from blemish.data.folders import made_folder, refuse_foreign_folder

LICENCE = (
    "MVTec AD is the work of MVTec Software GmbH under CC BY-NC-SA 4.0: you may not use it "
    "for commercial purposes, must name its authors, and must share what you derive from it alike "
    "(https://creativecommons.org/licenses/by-nc-sa/4.0/)."
)
_HOST = "https://www.mydrive.ch/shares"

# category: (the publisher's share, SHA-256 of CATEGORY.tar.xz)
ARCHIVES: dict[str, tuple[str, str]] = {
    "bottle": (
        "150452/132a93367fb17cdf968dfb5c4013f6e7/download/420937370-1629958698",
        "726512129cb3b1f47d4f6cd7c7fc9170db7fc209132249c788fec06029cb5dc3",
    ),
    "cable": (
        "150453/10f960e07fec2838b2cd512586633a32/download/420937413-1629958794",
        "1e3d59b80a6a8da5adf32fb0cf311c7b964cde146d6920aef9ca66380999a9cd",
    ),
    "capsule": (
        "150454/e0ce6dd74eb150f46c0d98131b3703f2/download/420937454-1629958872",
        "f6a41cb11f1589d552888fe9c43a1adcbcae15b70073e19093322f836d00a2b6",
    ),
    "carpet": (
        "150455/eac7fbce84d93a5094e13f391170eca4/download/420937484-1629959013",
        "d9dd5064515a20bd75cf24d223c570579141abd72388beef892780b74dbaa85d",
    ),
    "grid": (
        "150456/bb0b2e3dc804ccb8b4485e01f8e4493b/download/420937487-1629959044",
        "d94a9a651cbfaee22c94d06cf8fa8204a590c872362de0489eb34f1645328de8",
    ),
    "hazelnut": (
        "150457/51d49f65e84bdc100ff8035d7dd783ea/download/420937545-1629959162",
        "a7f4e7d65a60a235def7236a46fcb854d62e6c6917c16b1ec9cb4ff089d3b0da",
    ),
    "leather": (
        "150458/923030ce14e10a7d147e95d0f8885f6b/download/420937607-1629959262",
        "704ffa48b1dc2fc44824aa50442d9febc399dd92a5d6fd8156f8aa0373d15f24",
    ),
    "metal_nut": (
        "150459/c68856a21dca589b0f8ff6d4ee0f18f4/download/420937637-1629959294",
        "86e3c8e163ceb19146ad3ddc408e85cc34ae02e0da430e07a73bac6bbb48532a",
    ),
    "pill": (
        "150460/d4f1c04da67034ccc8d8b5fa3e73f244/download/420938129-1629960351",
        "ac6ce9ec4ec2a5d67c906d82147bd7431980cf00b78f25d63201a5f17e3a2038",
    ),
    "screw": (
        "150461/242f454cc6385e5693c4fd4b94567d1e/download/420938130-1629960389",
        "0a27a365a21e472d19b9fb48cb8e4002b49fabe083bff7f4c16fa57d78154f10",
    ),
    "tile": (
        "150462/5479f0fdc97bc6fa16eab0cb0cf0109f/download/420938133-1629960456",
        "392228153b96d0db9f179d3f7c2d63e131e907154883b57309fcbf798643173c",
    ),
    "toothbrush": (
        "150463/895a1a5fb84b958f07417784b060434b/download/420938134-1629960477",
        "fe72a34b4b0d074f84e844be7ef8c4f64f7f02f20e25f19c9e3b4a231c8bea77",
    ),
    "transistor": (
        "150464/99b8ea0332438d64fcc2475ee73f9c29/download/420938166-1629960554",
        "146b2166c35a1d0cf37ded091366ac01a50338b4ac704632f1239890eaca4449",
    ),
    "wood": (
        "150465/d5b4115b720cdb54d217e75636e6e374/download/420938383-1629960649",
        "3757297ac2a266072eb4f25a97f805f5b37fd583492b20bd709f310736c1ea47",
    ),
    "zipper": (
        "150466/bd155b557520edaf692d9bfdb915c24a/download/420938385-1629960680",
        "7ab46e0e195da145db30052baea3d3a5d14c5f0e710137c968e0423f02cb942d",
    ),
}
WHOLE = RemoteFile(
    f"{_HOST}/150996/b52ecdcbf521176e9db9c731f2304b27/download/420938113-1629960298/"
    "mvtec_anomaly_detection.tar.xz",
    sha256="cf4313b13603bec67abb49ca959488f7eedce2a9f7795ec54446c649ac98cd3d",
    size=5_264_982_680,
)
MOST_UNPACKED_BYTES = 12 * 10**9  # the whole set takes about 5.3 GB


def get_mvtec_ad(
    out: Path, category: str | None = None, mirror: str | None = None, accept_licence: bool = False
) -> list[Path]:
    """Download one category of MVTec AD, or all fifteen, and lay them into `out`, one folder each.

    Archives wait in Blemish's cache until they are unpacked, so that a broken download goes on where it
    stopped.

    Args:
        out: folder for the categories' folders.
        category: one of `ARCHIVES`, or None for all.
        mirror: address of a folder that holds `CATEGORY.tar.xz` or `mvtec_anomaly_detection.tar.xz`; https,
            or http on this machine. The checksums stay the publisher's.
        accept_licence: the user has read `LICENCE` and agrees.

    Raises:
        UsageError: an unknown category, the licence not accepted, or a folder that holds other files.
        DownloadError: see `blemish.data.downloads.download` and `blemish.data.archives.extract_tar`.
    """
    if category is not None and category not in ARCHIVES:
        raise UsageError(f"MVTec AD has no category {category!r}: choose of {', '.join(ARCHIVES)}.")
    if not accept_licence:
        raise UsageError(f"{LICENCE} If you agree, run again with --accept-licence.")
    remote = _remote_file(category, mirror)
    wanted = [category] if category else list(ARCHIVES)
    for name in wanted:
        refuse_foreign_folder(Path(out) / name)
    archive = cache_folder() / "downloads" / remote.name
    digest = download(remote, archive)
    folders = _unpack(
        archive, Path(out), wanted, {"url": remote.url, "archive_sha256": digest, "licence": LICENCE}
    )
    archive.unlink()
    return folders


def _remote_file(category: str | None, mirror: str | None) -> RemoteFile:
    """Where an archive is, and what is known of it."""
    if category is None:
        remote = WHOLE
    else:
        share, sha256 = ARCHIVES[category]
        remote = RemoteFile(f"{_HOST}/{share}/{category}.tar.xz", sha256)
    if mirror is None:
        return remote
    return RemoteFile(f"{mirror.rstrip('/')}/{remote.name}", remote.sha256, remote.size)


def _unpack(archive: Path, out: Path, wanted: list[str], origin: dict[str, str]) -> list[Path]:
    """Unpack the archive once beside its place, then move each category there."""
    folders = []
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out, prefix=".mvtec-ad.") as unpacked:
        draft = Path(unpacked)
        extract_tar(archive, draft, MOST_UNPACKED_BYTES)
        for name in wanted:
            found = next(
                (p for p in (draft / name, draft / "mvtec_anomaly_detection" / name) if p.is_dir()), None
            )
            if found is None or not (found / "train" / "good").is_dir():
                raise DownloadError(
                    f"{archive} does not hold {name}/train/good: it is not the MVTec AD archive of {name}."
                )
            with made_folder(
                out / name, {"made_by": "blemish data get mvtec-ad", "category": name, **origin}
            ) as folder:
                for item in sorted(found.iterdir()):
                    item.rename(folder / item.name)
            folders.append(out / name)
    return folders
