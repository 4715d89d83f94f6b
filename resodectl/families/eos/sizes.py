"""How many images a data set has to train on: all, or all but one to test with where it has no published split."""

MOST = {"digits": 1796, "mnist": 60_000, "cifar10": 50_000}


def check_size(name: str, data: str, images: int) -> None:
    """Refuse a parameter `name` that asks for more images than there are.

    Raises:
        ValueError: it does.
    """
    if images > MOST[data]:
        raise ValueError(f"{name}: {data} has only {MOST[data]} images to train on, not {images}")
