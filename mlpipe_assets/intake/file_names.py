"""Which names of a drop zone are those of no delivery, in a folder and in a bucket."""

_IN_TRANSFER = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")


def is_passed_over(key: str) -> bool:
    """Whether a file is no delivery, by its path: it, or a folder of it, is hidden, or it is still in transfer."""
    *folders, name = key.split("/")
    hidden = any(folder.startswith((".", "_")) for folder in folders)
    return hidden or name.startswith((".", "~$")) or name.lower().endswith(_IN_TRANSFER)
