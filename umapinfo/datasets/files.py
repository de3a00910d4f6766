"""Data files by name: from a folder of one's own, the cache or their public address, never another file than meant."""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "UMAPINFO_DATA"
TIMEOUT = 30.0  # seconds without an answer

ADDRESSES = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "pendigits": "https://archive.ics.uci.edu/ml/machine-learning-databases/pendigits/",
    # the commit that the file came with
    "mammoth": "https://raw.githubusercontent.com/YingfanWang/PaCMAP/4a6949f110520dfcb187d1dd18f768f81c386296/data/",
}

SHA256 = {
    "mnist/train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "mnist/train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "mnist/t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "mnist/t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    "pendigits/pendigits.tra": "e2b9eb9f0d0467e2b64a4816a3420edf2b8043447576f4b84337aba44a9f97d3",
    "pendigits/pendigits.tes": "8bd03229c5c5291fefe43e45465dd948d2645bf23328b9d993e0b777666b2015",
    "mammoth/mammoth_3d_50k.json": "b8bdcc83e775a17e2b62701d6acc75bce457546275859ac2faf2ea1d0e27bb1e",
}


def read(name: str, *, progress: bool = True) -> bytes:
    """Bytes of a data file, whose SHA-256 is checked.

    It is looked for in the folder that the variable UMAPINFO_DATA names, then in the cache, and downloaded into
    the cache where it is in neither. Both are laid out alike: <folder>/mnist/train-labels-idx1-ubyte.gz.

    Parameters
    ----------
    name : str
        Place in the folder, one of `SHA256`.
    progress : bool
        Show the progress of a download.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If the folder holds another file under that name; it is left as it is.
    FileNotFoundError
        If the file is nowhere and cannot be downloaded; no part of it is left behind.
    """
    own = _in_own_folder(name)
    if own is None or not own.is_file():
        return _cached_or_downloaded(name, progress).read_bytes()
    data = own.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256[name]:
        raise ValueError(
            f"expected SHA-256 {SHA256[name]} of {own}, got {found}; replace the file by {_address(name)}, "
            "or take it away to have that downloaded"
        )
    return data


def _address(name: str) -> str:
    folder, file = name.split("/")
    return ADDRESSES[folder] + file


def _in_own_folder(name: str) -> Path | None:
    folder = os.environ.get(VARIABLE)
    return Path(folder).expanduser() / name if folder else None


def _cached_or_downloaded(name: str, progress: bool) -> Path:
    """Where the file lies in the cache; pooch writes it aside, and moves it there when its SHA-256 is right."""
    import pooch

    cached = Path(pooch.os_cache("umapinfo")) / name
    downloader = pooch.HTTPDownloader(progressbar=progress, chunk_size=2**16, timeout=TIMEOUT)
    try:
        with _silent(pooch.get_logger()):
            return Path(
                pooch.retrieve(
                    _address(name), f"sha256:{SHA256[name]}", cached.name, cached.parent, downloader=downloader
                )
            )
    except (OSError, ValueError) as error:  # of the connection, the answer, the disk; ValueError: of the SHA-256
        answer = getattr(error, "response", None)
        if answer is not None:  # a refusal, unread and therefore still open
            answer.close()
        raise FileNotFoundError(_nowhere(name, cached, error)) from error


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(level)


def _nowhere(name: str, cached: Path, error: Exception) -> str:
    """What was tried, and what to do by hand."""
    own = _in_own_folder(name)
    tried = [
        f"{VARIABLE} is not set" if own is None else f"there is no {own}",
        f"{cached} holds another file" if cached.is_file() else f"there is no {cached}",
        f"{_address(name)} could not be downloaded ({type(error).__name__}: {error})",
    ]
    place = f"as {name} into a folder that {VARIABLE} names" if own is None else f"at {own}"
    return (
        f"expected the data file {name}, got none: {'; '.join(tried)}. "
        f"Try again with a connection, or put the file by hand at {cached} or {place}"
    )
