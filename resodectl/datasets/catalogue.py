"""The known data sets: where they come from, how large they are, and how to get them.

Nothing that computes reads this file, so that a word changed here recomputes no cell.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Facts:
    """What is known of a data set.

    `shape` is that of an example. `train` and `test` are the published numbers of examples in each class, or in all
    where those are not published. `megabytes` is the size on disk; `licence` is that of an embedded set. `checksums`
    are the published ones, by file name, as `md5:...` or `sha256:...`. A set is fetched from `urls`, or from OpenML.
    """

    title: str
    source: str
    shape: tuple[int, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]
    megabytes: float
    layout: str
    fetching: str
    licence: str = ""
    openml: int | None = None
    urls: tuple[str, ...] = ()
    checksums: dict[str, str] = field(default_factory=dict)


SETS = {
    "digits": Facts(
        title="Optical recognition of handwritten digits",
        source="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        licence="CC BY 4.0",
        shape=(1, 8, 8),
        train=(178, 182, 177, 183, 181, 182, 181, 179, 174, 180),
        test=(),
        megabytes=0.1,
        layout="shipped inside scikit-learn",
        fetching="there already",
    ),
    "mnist-10k": Facts(
        title="MNIST, the first 10,000 training images",
        source=(
            "http://yann.lecun.com/exdb/mnist, recovered to the bit from a public package under the MIT licence, and "
            "shuffled once"
        ),
        licence="MIT",
        shape=(1, 28, 28),
        train=(784, 882, 805, 828, 789, 679, 811, 882, 755, 785),
        test=(217, 245, 186, 204, 191, 184, 203, 188, 189, 193),
        megabytes=1.6,
        layout="shipped inside resodectl",
        fetching="there already",
        checksums={
            "mnist10k-images-idx3-ubyte.gz": "sha256:3ec8f1f33bbb16ea01df6bf5cfe4bb49f4b31f6b898e38c71bfb8af417d1a1b8",
            "mnist10k-labels-idx1-ubyte.gz": "sha256:ef16c0682860b320586563944959fb88a9b6452750c793586e4da533c6c33749",
        },
    ),
    "mnist": Facts(
        title="MNIST",
        source="http://yann.lecun.com/exdb/mnist",
        shape=(1, 28, 28),
        train=(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        test=(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
        megabytes=55.0,
        layout="mnist/ or MNIST/raw/, {train,t10k}-{images-idx3,labels-idx1}-ubyte, plain or .gz",
        fetching="resodectl data fetch mnist --data-root DIR",
        openml=554,
        checksums={
            "train-images-idx3-ubyte": "sha256:ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte": "sha256:65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images-idx3-ubyte": "sha256:0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte": "sha256:ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ),
    "fashion-mnist": Facts(
        title="Fashion-MNIST",
        source="https://github.com/zalandoresearch/fashion-mnist",
        shape=(1, 28, 28),
        train=(6000,) * 10,
        test=(1000,) * 10,
        megabytes=55.0,
        layout="fashion-mnist/ or FashionMNIST/raw/, {train,t10k}-{images-idx3,labels-idx1}-ubyte, plain or .gz",
        fetching="resodectl data fetch fashion-mnist --data-root DIR",
        openml=40996,
        checksums={
            "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
    "cifar10": Facts(
        title="CIFAR-10",
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
        shape=(3, 32, 32),
        train=(5000,) * 10,
        test=(1000,) * 10,
        megabytes=184.4,
        layout="cifar-10-batches-py/{data_batch_1..5,test_batch} or cifar-10-batches-bin/*.bin",
        fetching="resodectl data fetch cifar10 --data-root DIR (needs 4 GB of memory), or unpack the archive in DIR",
        openml=40927,
        checksums={
            "cifar-10-python.tar.gz": "md5:c58f30108f718f92721af3b95e74349a",
            "cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530",
            "data_batch_1": "md5:c99cafc152244af753f735de768cd75f",
            "data_batch_2": "md5:d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "md5:54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "md5:634d18415352ddfa80567beed471001a",
            "data_batch_5": "md5:482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "md5:40351d587109b95175f43aff81a1287e",
        },
    ),
    "cifar100": Facts(
        title="CIFAR-100, with its fine labels",
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
        shape=(3, 32, 32),
        train=(500,) * 100,
        test=(100,) * 100,
        megabytes=186.0,
        layout="cifar-100-python/{train,test} or cifar-100-binary/{train,test}.bin",
        fetching="resodectl data fetch cifar100 --data-root DIR",
        urls=("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",),
        checksums={
            "cifar-100-python.tar.gz": "md5:eb9058c3a382ffc7106e4002c42a8d85",
            "train": "md5:16019d7e3df5f24257cddd939b257f8d",
            "test": "md5:f0ef6b0ae62326f3e7ffdfab6717acfc",
        },
    ),
    "svhn": Facts(
        title="SVHN, cropped digits",
        source="http://ufldl.stanford.edu/housenumbers",
        shape=(3, 32, 32),
        train=(4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659),
        test=(1744, 5099, 4149, 2882, 2523, 2384, 1977, 2019, 1660, 1595),
        megabytes=246.4,
        layout="svhn/{train,test}_32x32.mat",
        fetching="resodectl data fetch svhn --data-root DIR",
        urls=(
            "http://ufldl.stanford.edu/housenumbers/train_32x32.mat",
            "http://ufldl.stanford.edu/housenumbers/test_32x32.mat",
        ),
        checksums={
            "train_32x32.mat": "md5:e26dedcc434d2e4c54c9b2d4a06d8373",
            "test_32x32.mat": "md5:eb5a983be6a315427106f1b164d9cef3",
        },
    ),
    "ijcnn1": Facts(
        title="IJCNN1, 22 features of a combustion engine",
        source="https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary.html",
        shape=(22,),
        train=(49_990,),
        test=(91_701,),
        megabytes=21.0,
        layout="ijcnn1/{ijcnn1,ijcnn1.t}, plain or .bz2",
        fetching="resodectl data fetch ijcnn1 --data-root DIR",
        urls=(
            "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary/ijcnn1.bz2",
            "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary/ijcnn1.t.bz2",
        ),
    ),
    "covtype": Facts(
        title="Forest covertype, 54 features of a place",
        source="https://archive.ics.uci.edu/dataset/31/covertype",
        shape=(54,),
        train=(211_840, 283_301, 35_754, 2_747, 9_493, 17_367, 20_510),
        test=(),
        megabytes=72.0,
        layout="covtype/covtype, the multiclass text of LIBSVM, plain or .bz2",
        fetching="resodectl data fetch covtype --data-root DIR (through scikit-learn)",
    ),
}
