"""Fashion-MNIST: 70,000 grey images of 28 by 28 articles of clothing, a drop-in replacement for MNIST.

Xiao, Rasul and Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms, 2017.
"""

from pathlib import Path

from coterie.core.bounds import Count
from coterie.tasks import downloads
from coterie.tasks.dataset import Dataset
from coterie.tasks.datasets import dataset
from coterie.tasks.files import grey_images
from coterie.tasks.files.locations import absolute

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package `dataset-fashion-mnist` puts the files."""

ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
CHECKSUMS = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
"""SHA-256 of the original files."""

CLASSES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


@dataset("fashion-mnist")
def fashion_mnist(*, folder: str | None, path: str | None = None, mirror: str | None = None, limit: Count | None = None) -> Dataset:
    """60,000 + 10,000 images (1, 28, 28) of ten kinds of clothing, pixels from 0 to 1.

    path: a folder with the four idx files (plain or .gz), or an .npz with x_train, y_train, x_test, y_test. Without it the
    files of Debian's package dataset-fashion-mnist are taken where it is installed; otherwise they are downloaded once,
    checked and cached; mirror: the address of a folder to download them from instead.
    limit: take only the first so many training images, and tests in proportion.
    """
    if path is not None:
        arrays = grey_images.from_path(absolute(path, folder))
    elif mirror is None and DEBIAN.is_dir():
        arrays = grey_images.from_path(DEBIAN)
    else:
        found = downloads.fetch("fashion-mnist", CHECKSUMS, ADDRESS, mirror)
        arrays = grey_images.from_files(found, "the download")
    return grey_images.dataset("fashion-mnist", arrays, CLASSES, limit)
