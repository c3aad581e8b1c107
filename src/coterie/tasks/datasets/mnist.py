"""MNIST: 70,000 grey images of 28 by 28 handwritten digits.

LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document Recognition, Proceedings of the IEEE, 1998.
"""

from coterie.core.bounds import Count
from coterie.tasks import downloads
from coterie.tasks.dataset import Dataset
from coterie.tasks.datasets import dataset
from coterie.tasks.files import grey_images
from coterie.tasks.files.locations import absolute

ADDRESS = "https://ossci-datasets.s3.amazonaws.com/mnist/"
CHECKSUMS = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
"""SHA-256 of the original files."""


@dataset("mnist")
def mnist(*, folder: str | None, path: str | None = None, mirror: str | None = None, limit: Count | None = None) -> Dataset:
    """60,000 + 10,000 images (1, 28, 28) of ten digits, pixels from 0 to 1.

    path: a folder with the four idx files (plain or .gz), or an .npz with x_train, y_train, x_test, y_test. Without it the
    files are downloaded once, checked and cached; mirror: the address of a folder to download them from instead.
    limit: take only the first so many training images, and tests in proportion.
    """
    if path is not None:
        arrays = grey_images.from_path(absolute(path, folder))
    else:
        found = downloads.fetch("mnist", CHECKSUMS, ADDRESS, mirror)
        arrays = grey_images.from_files(found, "the download")
    return grey_images.dataset("mnist", arrays, tuple("0123456789"), limit)
